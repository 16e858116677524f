#!/bin/sh
# Reproduces results.md: the learner beside Debian's XGBoost on this machine.
#
#   run.sh [ROUNDS]        of each large fit, 3 when not given
#
# Takes about 15 minutes on two quiet cores. What is missing is installed with
# apt-get, as root. Progress goes to the standard error.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-/usr/bin/python3}
if ! command -v gcc >/dev/null || ! "$python" -c 'import xgboost, sklearn' 2>/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    python3-xgboost python3-sklearn libxgboost-dev gcc libc6-dev >&2
fi
new=$(mktemp)
trap 'rm -f "$new"' EXIT
{
  echo "# The learner beside XGBoost"
  echo
  echo "Written by \`make bench-xgboost\`: 200 trees of depth 6, 255 bins. Of several rounds the one"
  echo "least disturbed counts, on either side. Peak memory is what the process needed above its input."
  echo
  echo "- $(grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'), $(nproc) cores, load at the start $(cut -d' ' -f1 /proc/loadavg)"
  echo "- $(go version | cut -d' ' -f3), XGBoost $("$python" -c 'import xgboost; print(xgboost.__version__)')"
  echo
  echo "## Fitting"
  echo
  ./fit.sh "$@"
} > "$new"
echo "run.sh: prediction" >&2
./predict.sh > predict.txt
printf '\n## Prediction and explanation\n\n```\n%s\n```\n' "$(cat predict.txt)" >> "$new"
cat "$new" > results.md
