#!/bin/sh
# Fails when generating the generated files again changes one of them.
set -eu
cd "$(dirname "$0")/.."

generated() {
	{
		grep -rlE --include='*.go' '^// Code generated .* DO NOT EDIT\.$' . || true
		echo store/schema.sql
		echo triage/default.model
	} | sort -u | xargs cksum
}
before=$(generated)
go generate ./...
make --no-print-directory schema
after=$(generated)
if [ "$before" != "$after" ]; then
	printf '%s\n' "$before" "$after" | sort | uniq -u | cut -d ' ' -f 3 | sort -u >&2
	echo "these generated files were stale and are new now: look at them and commit them" >&2
	exit 1
fi
