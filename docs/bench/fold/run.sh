#!/bin/sh
# The feature fold beside DuckDB: run.sh [EVENTS [ROUNDS]]. Writes results.jsonl
# and results.md. DuckDB comes with npm into a directory that goes afterwards.
set -eu
cd "$(dirname "$0")"
events=${1:-10000000}
rounds=${2:-3}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
(cd "$dir" && npm install --silent --no-save --prefix "$dir" @duckdb/node-api@1.5.6-r.1 >/dev/null)
go build -o "$dir/fold" .
"$dir/fold" -events "$events" -rows "$dir/rows.csv"
: > results.jsonl
for _ in $(seq "$rounds"); do
  "$dir/fold" -events "$events" >> results.jsonl
  NODE_PATH="$dir/node_modules" node peer.cjs "$dir/rows.csv" "$events" 2 >> results.jsonl
done
{
  echo "# The feature fold beside DuckDB"
  echo
  echo "Written by \`make bench-fold\`."
  echo
  echo "- $(grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'), $(nproc) cores, load at the end $(cut -d' ' -f1 /proc/loadavg)"
  echo "- $(go version | cut -d' ' -f3), two threads each"
  echo
  node table.cjs results.jsonl
} > results.md
cat results.md
