"""Turn the raw figures of fit.sh into tables. Costs are those of the round least disturbed."""
import glob
import json
import sys

import numpy as np
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

directory, raw = sys.argv[1:]
costs = {}
for line in open(raw):
    r = json.loads(line)
    costs.setdefault((r["table"], r["threads"], r["learner"]), []).append(r)


def least(table, threads, learner, field):
    return min(r[field] for r in costs[table, threads, learner])


print("| table | rounds | XGBoost CPU s | Tallyman CPU s | ratio | XGBoost MB | Tallyman MB | ratio | Tallyman wall s, 1 and 2 threads | speed-up | two fits side by side |")
print("|---|---|---|---|---|---|---|---|---|---|---|")
for table in sorted({t for t, threads, _ in costs if threads == 2}):
    ours, peer = (least(table, 1, n, "cpu_s") for n in ("tallyman", "xgboost"))
    mb, peer_mb = (least(table, 1, n, "peak_mb") for n in ("tallyman", "xgboost"))
    one, two, pair = (least(table, n, "tallyman", "wall_s") for n in (1, 2, "pair"))
    print(f"| {table} | {len(costs[table, 1, 'tallyman'])} | {peer:.2f} | {ours:.2f} | **{ours / peer:.2f}** "
          f"| {peer_mb:.0f} | {mb:.0f} | **{mb / peer_mb:.2f}** | {one:.2f} / {two:.2f} | **{one / two:.2f}** | {2 * one / pair:.2f} |")
print("\nThe speed-up is by wall time. Two fits of one thread each, side by side, share nothing but the machine: what"
      "\nthey get done more than one alone is the speed-up that a second core here can give at most.")

print("\n| table | AUC XGBoost | AUC Tallyman | difference | average precision | log loss XGBoost | Tallyman | difference |")
print("|---|---|---|---|---|---|---|---|")
differences = []
for path in sorted(glob.glob(f"{directory}/*.xgboost.p")):
    table = path.split("/")[-1][:-len(".xgboost.p")]
    y = np.fromfile(f"{directory}/{table}.test.y", "<f4")
    peer, ours = (np.clip(np.fromfile(f"{directory}/{table}.{n}.p", "<f4").astype(float), 1e-7, 1 - 1e-7)
                  for n in ("xgboost", "tallyman"))
    a, b = roc_auc_score(y, peer), roc_auc_score(y, ours)
    differences.append(b - a)
    print(f"| {table} | {a:.4f} | {b:.4f} | {b - a:+.4f} "
          f"| {average_precision_score(y, peer):.4f} → {average_precision_score(y, ours):.4f} "
          f"| {log_loss(y, peer):.5f} | {log_loss(y, ours):.5f} | {100 * (log_loss(y, ours) / log_loss(y, peer) - 1):+.2f} % |")
print(f"\nAUC difference: mean {np.mean(differences):+.5f}, least {min(differences):+.5f}.")
