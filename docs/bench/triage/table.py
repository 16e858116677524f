"""Prints the table of run.sh: table.py DIR."""
import json, os, sys

NAMES = {
    "banking77": ("BANKING77", "BERT, tuned: 93.7"),
    "typos": ("BANKING77, 10 % of words misspelt", ""),
    "clinc150": ("CLINC150", "SVM 91.0, BERT 96.9"),
    "hint3-powerplay11": ("HINT3 PowerPlay11", ""),
    "it-tickets": ("IT tickets, four to one", ""),
}


def main(d):
    print("# The embedded classifier beside scikit-learn\n")
    print("Written by `docs/bench/triage/run.sh`. The peer is TfidfVectorizer + LinearSVC with their defaults.")
    print("Accuracy and macro-F1 are in scope; published accuracies are for the same test sets.\n")
    print("| set | accuracy, peer | accuracy | macro-F1 | ECE | right 98 %: answered | OOS AUROC, peer | OOS AUROC | noticed at 5 % rejected, peer | noticed | training, s | published |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for key, (name, published) in NAMES.items():
        if not os.path.exists(f"{d}/{key}.ours.json"):
            continue
        a, b = json.load(open(f"{d}/{key}.ours.json")), json.load(open(f"{d}/{key}.peer.json"))
        oos = ["", "", "", ""]
        if "oos" in a:
            oos = ["%.3f" % b["oos"]["auroc"], "%.3f" % a["oos"]["auroc"], "%.3f" % b["oos"]["recall_at_5pct_rejection"], "%.3f" % a["oos"]["recall_at_5pct_rejection"]]
        print("| %s | %.1f | **%.1f** | %.3f | %.3f | %.2f | %s | %s | %s | %s | %.1f | %s |" % (
            name, 100 * b["accuracy"], 100 * a["accuracy"], a["macro_f1"], a["ece"], a["coverage_at"]["0.98"], *oos, a["train_seconds"], published))


main(*sys.argv[1:])
