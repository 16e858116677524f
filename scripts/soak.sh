#!/bin/sh
# The program under faults, and what is too long for every run: soak.sh long, or
# soak.sh short for two minutes of it.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh test

case ${1:-long} in
long)
	export TALLYMAN_SOAK=long TALLYMAN_SEQUENCES=100000
	e2e='Soak|AttackProcess'
	;;
short)
	export TALLYMAN_SOAK=short TALLYMAN_SEQUENCES=20000
	e2e='Soak'
	;;
*)
	echo "soak.sh $1: want long or short" >&2
	exit 2
	;;
esac
go test -count=1 -timeout 0 -run '^TestSequences$' -v ./guardrails
go test -count=1 -timeout 0 -tags e2e -run "$e2e" -v ./e2e/...
if [ "$TALLYMAN_SOAK" = long ]; then
	go test -count=1 -timeout 0 -run 'TestAttack(Approvals)?$/(16|53)_' -v ./store ./jobs
	go test -count=1 -timeout 0 -run '^TestAttacksThroughTheAPI$' -v ./cmd/tallyman
fi
