"""Turn the raw figures of predict.sh into a table. Of the rounds the one least disturbed counts."""
import re
import sys

CASES = {
    "numeric": "XGBoost's, 30 numeric columns",
    "ours": "ours, 30 numeric columns",
    "categorical": "XGBoost's, 10 numeric and 6 categorical columns",
}
FIGURES = re.compile(r"(\w+) batch (\d+) rows/s, one row p50 ([\d.]+) us .* shap (\d+) rows/s")

print("| model | batch, rows per CPU second | | one row, p50 | | TreeSHAP, rows per CPU second | | equality |")
print("|---|---|---|---|---|---|---|---|")
for line in open(sys.argv[1]):
    if line.startswith("=="):
        case, best = line.split()[1].rstrip(":"), {}
    elif figures := FIGURES.match(line):
        name, batch, row, shap = figures[1], int(figures[2]), float(figures[3]), int(figures[4])
        batch0, row0, shap0 = best.get(name, (0, 1e9, 0))
        best[name] = max(batch0, batch), min(row0, row), max(shap0, shap)
    elif line.startswith("margins"):
        (batch0, row0, shap0), (batch, row, shap) = best["xgboost"], best["tallyman"]
        print(f"| {CASES[case]} | {batch0:,} → {batch:,} | **{batch / batch0:.1f} ×** | {row0:.1f} → {row:.2f} µs "
              f"| **{row0 / row:.0f} ×** | {shap0:,} → {shap:,} | **{shap / shap0:.1f} ×** | {line.strip()} |")
