#!/bin/sh
# Reproduces results.md: the learner beside Debian's XGBoost on this machine.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-/usr/bin/python3}
"$python" -c 'import xgboost, sklearn' 2>/dev/null ||
  apt-get install -y --no-install-recommends python3-xgboost python3-sklearn gcc
{
  echo "# The learner beside XGBoost"
  echo
  echo "Written by \`make bench-xgboost\`. Peak memory is what the process needed above its input."
  echo
  echo "- $(grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'), $(nproc) cores, load at the start $(cut -d' ' -f1 /proc/loadavg)"
  echo "- $(go version | cut -d' ' -f3), XGBoost $("$python" -c 'import xgboost; print(xgboost.__version__)')"
  echo
  echo "## Fitting"
  echo
  ./fit.sh "$@"
} > results.md
if [ -x predict.sh ]; then
  ./predict.sh > predict.txt
  printf '\n## Prediction and explanation\n\n```\n%s\n```\n' "$(cat predict.txt)" >> results.md
fi
