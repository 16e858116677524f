#!/bin/sh
# Fitting beside XGBoost's hist: 200 trees of depth 6, eta 0.1, lambda 1, 255
# bins, binning included. Peers run in turn. Raw figures go to fit.jsonl, the
# tables to standard output. Needs Debian's python3-xgboost and python3-sklearn.
#
#   fit.sh [ROUNDS]        TALLYMAN_DATA is where tabular/ lies
set -eu
cd "$(dirname "$0")"
rounds=${1:-3}
python=${PYTHON:-/usr/bin/python3}
data=${TALLYMAN_DATA:-../../../../shared/data}/tabular
[ -d "$data" ] || { echo "fit.sh: $data is absent, public tables are left out" >&2; data=; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go run data.go -out "$dir" -data "$data" >&2
CGO_ENABLED=0 go build -o "$dir/fit" fit.go
: > fit.jsonl

peer() { # table
  OMP_NUM_THREADS=1 "$python" fit.py -dir "$dir" -name "$1" -threads 1 >> fit.jsonl
}
ours() { # table threads
  "$dir/fit" -dir "$dir" -name "$1" -threads "$2" >> fit.jsonl
}
pair() { # table: two fits of one thread side by side, which tells what a second core of this machine is worth
  "$dir/fit" -dir "$dir" -name "$1" -threads 1 > "$dir/beside" &
  "$dir/fit" -dir "$dir" -name "$1" -threads 1 > "$dir/aside"
  wait
  sed 's/"threads":1/"threads":"pair"/' "$dir/beside" "$dir/aside" >> fit.jsonl
}

for round in $(seq "$rounds"); do
  for table in synthetic backorders.1; do
    [ -f "$dir/$table.cols" ] || continue
    echo "fit.sh: round $round of $rounds, $table" >&2
    peer "$table"
    ours "$table" 1
    ours "$table" 2
    pair "$table"
  done
done
for table in synthetic200k backorders adult credit_default higgs7k; do
  for seed in 1 2 3; do
    if [ -f "$dir/$table.$seed.cols" ] && [ ! -f "$dir/$table.$seed.xgboost.p" ]; then
      echo "fit.sh: accuracy, $table.$seed" >&2
      peer "$table.$seed"
      ours "$table.$seed" 1
    fi
  done
done
"$python" fit_table.py "$dir" fit.jsonl
