"""Plain TF-IDF + LinearSVC of scikit-learn: peer.py TRAIN TEST OOS_LABEL."""
import csv, gzip, json, sys

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC


def read(name):
    opened = gzip.open(name, "rt") if name.endswith(".gz") else open(name)
    with opened as f:
        rows = list(csv.DictReader(f))
    return [r["text"] for r in rows], np.array([r["label"] for r in rows])


def main(train, test, oos):
    x, y = read(train)
    model = make_pipeline(TfidfVectorizer(), LinearSVC()).fit(x, y)
    x, y = read(test)
    scores = model.decision_function(x)
    got = model.classes_[scores.argmax(1)]
    inside = y != oos
    out = {
        "accuracy": (got == y)[inside].mean(),
        "macro_f1": f1_score(y[inside], got[inside], average="macro", labels=np.unique(y[inside])),
    }
    if not inside.all():
        best = scores.max(1)
        limit = np.quantile(best[inside], 0.05)
        out["oos"] = {"auroc": roc_auc_score(inside, best), "recall_at_5pct_rejection": (best[~inside] < limit).mean()}
    json.dump(out, sys.stdout)


main(*sys.argv[1:])
