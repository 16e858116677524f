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
{
  printf '\n## Prediction and explanation\n\n'
  echo "XGBoost through its C API, one thread each, 200,000 rows; raw output in predict.txt."
  echo "Models that send a category above 63 to the right are walked plainly, at about XGBoost's speed."
  echo
  "$python" predict_table.py predict.txt
  echo
  echo "Load at the end $(cut -d' ' -f1 /proc/loadavg). Beside other work, wall times and the speed-up mean little."
} >> "$new"
cat "$new" > results.md
