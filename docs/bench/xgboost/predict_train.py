"""Makes the models and rows of predict.sh: numeric.*, categorical.* in a folder.

NAME.json is a model of 200 trees of depth 6 trained by XGBoost; NAME.x holds
200,000 rows as little-endian float32, NAME.y their labels.
"""
import sys

import numpy as np
import xgboost as xgb

out, n = sys.argv[1], 200_000
rng = np.random.default_rng(11)


def train(name, x, signal, types):
    x[rng.random(x.shape) < 0.03] = np.nan
    signal = signal + rng.logistic(size=n)
    y = (signal > np.quantile(signal, 0.95)).astype(np.float32)
    d = xgb.DMatrix(x, y, feature_types=types, enable_categorical=True, nthread=1)
    b = xgb.train({"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "tree_method": "hist",
                   "max_bin": 255, "nthread": 1}, d, 200)
    b.save_model(f"{out}/{name}.json")
    x.tofile(f"{out}/{name}.x")
    y.tofile(f"{out}/{name}.y")


x = np.column_stack([rng.lognormal(size=n) for _ in range(10)] + [rng.integers(0, 50, n) for _ in range(8)]
                    + [rng.integers(0, 5, n) for _ in range(6)] + [rng.exponential(60, n).round() for _ in range(6)])
x = x.astype(np.float32)
train("numeric", x.copy(), np.log1p(x[:, 0]) * x[:, 20] / 3 + x[:, 11] / 30 * (x[:, 25] > 40)
      - np.log1p(x[:, 1]) + 0.5 * np.sin(x[:, 12]) + x[:, 26] / 100, ["float"] * 30)
sizes = [2, 2, 3, 5, 12, 40]
c = np.column_stack([x[:, :10]] + [rng.integers(0, k, n) for k in sizes]).astype(np.float32)
train("categorical", c.copy(), np.log1p(c[:, 0]) * c[:, 10] + np.sin(c[:, 14] * 2) + np.cos(c[:, 15] * 3) - c[:, 1] / 4,
      ["float"] * 10 + ["c"] * len(sizes))
