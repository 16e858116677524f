#!/bin/sh
# Writes results.md: the embedded classifier beside a plain TF-IDF + LinearSVC of
# scikit-learn, on public sets and on the ticket corpus. Needs Debian's
# python3-sklearn. TALLYMAN_DATA is the folder in which text/ lies.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-/usr/bin/python3}
data=${TALLYMAN_DATA:-../../../../shared/data}/text
"$python" -c 'import sklearn' 2>/dev/null || apt-get install -y --no-install-recommends python3-sklearn
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
CGO_ENABLED=0 go build -o "$dir/tallyman" ../../../cmd/tallyman
for set in banking77 clinc150 hint3-powerplay11; do
  gzip -dc "$data/$set/train.csv.gz" > "$dir/$set.train.csv"
  gzip -dc "$data/$set/test.csv.gz" > "$dir/$set.test.csv"
done
"$python" split.py "$data" "$dir"
set -- banking77: typos: clinc150:oos hint3-powerplay11:NO_NODES_DETECTED it-tickets:
for pair; do
  set=${pair%%:*} oos=${pair#*:} train=${pair%%:*}
  [ "$set" != typos ] || train=banking77
  if [ "$set" != typos ]; then
    "$dir/tallyman" triage train --csv "$dir/$set.train.csv" --out "$dir/$set.model" >&2
  fi
  "$dir/tallyman" triage eval --model "$dir/$train.model" --csv "$dir/$set.test.csv" ${oos:+--oos-label "$oos"} --json "$dir/$set.ours.json" >&2
  "$python" peer.py "$dir/$train.train.csv" "$dir/$set.test.csv" "$oos" > "$dir/$set.peer.json"
done
"$python" table.py "$dir" > results.md
