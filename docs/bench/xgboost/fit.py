"""Train XGBoost on the tables of data.go: the same measurements as fit.go."""
import argparse
import json
import resource
import time

import numpy as np
import xgboost as xgb

a = argparse.ArgumentParser()
a.add_argument("-dir")
a.add_argument("-name")
a.add_argument("-threads", type=int, default=1)
a = a.parse_args()


def load(part):
    cols = int(open(f"{a.dir}/{a.name}.cols").read())
    x = np.fromfile(f"{a.dir}/{a.name}.{part}.x", dtype="<f4").reshape(-1, cols)
    return x, np.fromfile(f"{a.dir}/{a.name}.{part}.y", dtype="<f4")


def status(field):
    for line in open("/proc/self/status"):
        if line.startswith(field):
            return float(line.split()[1])


def cpu():
    r = resource.getrusage(resource.RUSAGE_SELF)
    return r.ru_utime + r.ru_stime


x, y = load("train")
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS:")
cpu0, wall0 = cpu(), time.time()
train = xgb.DMatrix(x, label=y, nthread=a.threads)
model = xgb.train(
    {"objective": "binary:logistic", "tree_method": "hist", "max_depth": 6, "eta": 0.1,
     "lambda": 1, "max_bin": 255, "nthread": a.threads, "verbosity": 0},
    train, num_boost_round=200)
cpu1, wall1 = cpu(), time.time()
peak = status("VmHWM:") - before
x, _ = load("test")
model.predict(xgb.DMatrix(x, nthread=a.threads)).astype("<f4").tofile(f"{a.dir}/{a.name}.xgboost.p")
print(json.dumps({"table": a.name, "learner": "xgboost", "threads": a.threads, "cpu_s": round(cpu1 - cpu0, 3),
                  "wall_s": round(wall1 - wall0, 3), "peak_mb": round(peak / 1024, 1)}))
