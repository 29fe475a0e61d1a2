#!/bin/sh
# Make .venv with the locked requirements of one purpose: `local` to run Plazo on this machine, `dev` to work on it.
set -eu
cd "$(dirname "$0")/.."

purpose=${1:?which requirements? local or dev}
requirements=deploy/requirements
python=.venv/bin/python

say() { printf 'plazo: %s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

find_python() {
  for candidate in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.14}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  fail "Python 3.11 or later is needed, and ${PYTHON:-python3} is $("${PYTHON:-python3}" --version 2>/dev/null || echo missing):" \
    "install one, or name it: make run PYTHON=/path/to/python3.11"
}

make_environment() {
  base=$(find_python)
  "$base" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$("$base" --version) came without its module venv: apt install python3-venv (or your system's package of that name)"
  say "making .venv with $("$base" --version)"
  "$base" -m venv --clear .venv
}

install() {
  .venv/bin/uv pip install --python "$python" "$@" || {
    say "uv could not install that; trying pip, which takes longer"
    "$python" -m pip install --disable-pip-version-check "$@"
  }
}

"$python" -m pip --version >/dev/null 2>&1 || make_environment
say "installing the locked requirements ($purpose); this takes a minute the first time"
"$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$requirements/build.txt"
install --require-hashes -r "$requirements/$purpose.txt"
install --no-deps --no-build-isolation -e .

touch ".venv/.stamp-$purpose"
if [ "$purpose" = dev ]; then # it holds all of local
  touch .venv/.stamp-local
fi
