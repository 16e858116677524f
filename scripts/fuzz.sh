#!/bin/sh
# Runs every fuzzer of the repository for FUZZTIME (20s), one after the other.
set -eu
cd "$(dirname "$0")/.."

grep -rHE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*\(' . |
	sed -E 's/^(.*)\/[^/]*:func (Fuzz[A-Za-z0-9_]*)\(.*/\1 \2/' |
	sort -u |
	while read -r package fuzzer; do
		go test "$package" -run '^$' -fuzz "^$fuzzer\$" -fuzztime "${FUZZTIME:-20s}" </dev/null
	done
