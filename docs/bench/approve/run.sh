#!/bin/sh
# The transaction that approves a step beside pgbench, what the audit entry adds to
# it, and the commands that read what it leaves behind: run.sh [ROUNDS]. Writes
# results.jsonl and results.md. Needs PostgreSQL with pgbench.
set -eu
cd "$(dirname "$0")"
rounds=${1:-3}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go build -o "$dir/approve" .
CGO_ENABLED=0 go build -o "$dir/tallyman" ../../../cmd/tallyman
: > results.jsonl
for part in approve audit commands; do
  "$dir/approve" -part $part -rounds "$rounds" -tallyman "$dir/tallyman" >> results.jsonl
done
{
  echo "# Approvals beside pgbench"
  echo
  echo "Written by \`make bench-approve\`; medians of the rounds in results.jsonl."
  echo
  echo "- $(grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'), $(nproc) cores, load at the end $(cut -d' ' -f1 /proc/loadavg)"
  echo "- $(go version | cut -d' ' -f3), $(postgres --version 2>/dev/null || pg_config --version), fsync and synchronous_commit on"
  echo
  "$dir/approve" -table results.jsonl
} > results.md
cat results.md
