#!/usr/bin/env python3
"""Makes the golden models and predictions in this folder with XGBoost.

Run with Debian's python3-xgboost (1.7.4): /usr/bin/python3 make.py
Each NAME.json and NAME.ubj is a model; NAME.rows.json holds rows (null is
missing), the margins and the SHAP contributions (bias last) of XGBoost.
"""
import json, os
import numpy as np
import xgboost as xgb

here = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(3)


def table(n, categories=0):
    x = np.column_stack([
        rng.lognormal(size=n), rng.integers(0, 5, n), rng.normal(size=n),
        rng.exponential(30, n).round(), rng.normal(size=n),
        rng.integers(0, categories, n) if categories else rng.normal(size=n),
    ]).astype(np.float32)
    x[rng.random(x.shape) < 0.08] = np.nan
    z = np.nan_to_num(x)
    signal = np.log1p(z[:, 0]) * (z[:, 1] > 2) + z[:, 2] ** 2 / 3 - z[:, 3] / 40
    if categories:
        signal = signal + np.sin(z[:, 5] * 1.7)
    return x, signal


def number(v):
    return None if np.isnan(v) else float(str(np.float32(v)))


def save(name, booster, x, types=None):
    booster.save_model(os.path.join(here, name + ".json"))
    booster.save_model(os.path.join(here, name + ".ubj"))
    d = xgb.DMatrix(x, feature_names=booster.feature_names, feature_types=types, enable_categorical=bool(types))
    margins = booster.predict(d, output_margin=True)
    out = {
        "rows": [[number(v) for v in r] for r in x],
        "margins": [number(v) for v in margins],
        "predictions": [number(v) for v in booster.predict(d)],
    }
    out["contribs"] = [[number(v) for v in r] for r in booster.predict(d, pred_contribs=True)]
    with open(os.path.join(here, name + ".rows.json"), "w") as f:
        json.dump(out, f, separators=(",", ":"))
        f.write("\n")


def probe(x):
    """Rows to predict: some of the table, and rows with extreme values."""
    extra = np.array([[np.nan] * 6, [0] * 6, [-0.0] * 6, [3e38] * 6, [-3e38] * 6, [1e-40] * 6], np.float32)
    return np.vstack([x[:30], extra])


x, s = table(3000)
p = 1 / (1 + np.exp(-(s - 0.5)))
y = (rng.random(3000) < p).astype(np.float32)
base = {"max_depth": 4, "eta": 0.3, "tree_method": "hist", "nthread": 1, "seed": 1}
d = xgb.DMatrix(x, y)
save("logistic", xgb.train({**base, "objective": "binary:logistic", "base_score": 0.2}, d, 6), probe(x))
names = ["amount", "kind", "drift", "days", "noise", "naïve \"q\""]
named = xgb.DMatrix(x, y, feature_names=names)
b = xgb.train({**base, "objective": "binary:logistic", "grow_policy": "lossguide", "max_depth": 0, "max_leaves": 24}, named, 3)
b.set_attr(note='two\nlines, "quotes" and a \\ é')
save("lossguide", b, probe(x))
save("pruned", xgb.train({**base, "objective": "binary:logistic", "tree_method": "exact", "gamma": 3}, d, 4), probe(x))
save("deep", xgb.train({**base, "objective": "binary:logistic", "max_depth": 12, "min_child_weight": 0.1}, d, 2), probe(x))
for name, objective, label in [("squarederror", "reg:squarederror", s), ("poisson", "count:poisson", rng.poisson(np.exp(s / 3))),
                               ("gamma", "reg:gamma", np.exp(s / 2) + 0.1), ("tweedie", "reg:tweedie", np.maximum(s, 0))]:
    save(name, xgb.train({**base, "objective": objective}, xgb.DMatrix(x, label), 3), probe(x))
save("stump", xgb.train({**base, "objective": "binary:logistic", "max_depth": 0, "max_leaves": 1, "gamma": 1e9}, d, 2), probe(x))

x, s = table(3000, categories=40)
y = (rng.random(3000) < 1 / (1 + np.exp(-s))).astype(np.float32)
types = ["float", "int", "float", "float", "float", "c"]
d = xgb.DMatrix(x, y, feature_types=types, enable_categorical=True)
rows = np.vstack([x[:30], np.array([[0.5, 1, 0, 2, 0, c] for c in (-0.0, 39, 40, 45, 1000, 2.7)], np.float32)])
for name, onehot in [("categorical", 1), ("onehot", 100)]:
    b = xgb.train({**base, "objective": "binary:logistic", "max_cat_to_onehot": onehot}, d, 4)
    save(name, b, rows, types)

for name, params in [("dart", {"booster": "dart"}), ("gblinear", {"booster": "gblinear"}),
                     ("softprob", {"objective": "multi:softprob", "num_class": 3}), ("hinge", {"objective": "binary:hinge"})]:
    xgb.train({"max_depth": 2, **params}, xgb.DMatrix(x[:200, :2], y[:200]), 2).save_model(
        os.path.join(here, "refused_" + name + ".json"))
