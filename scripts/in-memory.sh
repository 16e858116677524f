#!/bin/sh
# Runs a command with its temporary files in memory, where there is room for those
# of the tests: in-memory.sh COMMAND…
#
# Tests make and drop hundreds of databases of 500 files each. On a disk that costs
# up to a third of all that PostgreSQL does for them.
set -eu
memory=/dev/shm
room=2097152 # KiB; the tests were seen to take 400,000

has_room() {
	free=$(df -Pk "$memory" 2>/dev/null | awk 'NR == 2 {print $4}')
	available=$(awk '$1 == "MemAvailable:" {print $2}' /proc/meminfo 2>/dev/null)
	[ "${free:-0}" -ge "$room" ] && [ "${available:-0}" -ge "$room" ]
}

# runs_programs looks whether what lies there may be run: tests build programs.
runs_programs() {
	printf '#!/bin/sh\n' >"$1/program" && chmod +x "$1/program" && "$1/program" 2>/dev/null
}

# What a killed run left would stay in memory.
find "$memory" -maxdepth 1 -name 'tallyman-*' -user "$(id -un)" -mtime +0 -exec rm -rf {} + 2>/dev/null || true

if [ -z "${TMPDIR:-}" ] && has_room && dir=$(mktemp -d "$memory/tallyman-XXXXXX"); then
	trap 'rm -rf "$dir"' EXIT
	trap 'exit 130' INT TERM
	if runs_programs "$dir"; then
		chmod 1777 "$dir" # PostgreSQL of root runs as another account
		export TMPDIR="$dir"
	fi
fi
"$@"
