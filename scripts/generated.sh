#!/bin/sh
# Fails when generating the generated files again changes one of them. Changes
# that are not committed yet do not matter.
set -eu
cd "$(dirname "$0")/.."

if ! git rev-parse --git-dir >/dev/null; then
	echo "generated files not checked: this is no git checkout" >&2
	exit 0
fi
state() {
	git diff
	git ls-files --others --exclude-standard | while read -r file; do
		cksum "$file"
	done
}
before=$(state | cksum)
go generate ./...
if [ "$before" != "$(state | cksum)" ]; then
	git --no-pager diff
	git status --short
	echo "generated files are stale: commit what 'go generate ./...' wrote" >&2
	exit 1
fi
