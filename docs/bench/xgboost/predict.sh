#!/bin/sh
# Prediction beside XGBoost's C API: batch, one row and TreeSHAP on one thread,
# and equality of margins on every row, for models trained by either.
# Needs gcc and Debian's python3-xgboost (1.7.4). Prints the raw figures; the
# committed output is predict.txt. CPU seconds, peers run in turn three times.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-/usr/bin/python3}
"$python" -c 'import xgboost' || { echo "predict.sh: install python3-xgboost first" >&2; exit 1; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export OMP_NUM_THREADS=1 GOMAXPROCS=1 CGO_ENABLED=0
gcc -O2 -o "$dir/peer" predict_peer.c -l:libxgboost.so.0
go build -o "$dir/predict" predict.go
"$python" predict_train.py "$dir"
"$dir/predict" fit "$dir/numeric.x" "$dir/numeric.y" 30 "$dir/ours.json"
grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'
go version
"$python" -c 'import xgboost; print("xgboost", xgboost.__version__)'
for case in "numeric numeric 30" "ours numeric 30" "categorical categorical 16"; do
  set -- $case
  echo "== $1: 200 trees of depth 6, 200000 rows of $3 columns"
  for _ in 1 2 3; do
    "$dir/peer" "$dir/$1.json" "$dir/$2.x" 200000 "$3" "$dir/margins" 2000 "$dir/shap"
    "$dir/predict" run "$dir/$1.json" "$dir/$2.x" "$3"
  done
  "$dir/predict" check "$dir/$1.json" "$dir/$2.x" "$3" "$dir/margins" "$dir/shap"
done
