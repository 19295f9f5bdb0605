#!/usr/bin/env bash
# Sets up what is missing, then lint, types, tests and the site: bash tools/run_tests.sh [arguments of pytest]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$(bash tools/setup_env.sh --python)
bin=$(dirname "$python")
"$bin/ruff" check mmkd_ext tools tests configs studies setup.py
"$bin/ruff" format --check mmkd_ext tools tests studies setup.py
"$bin/mypy"
for script in tools/*.sh .ci/run; do bash -n "$script"; done
# A test builds the site if mkdocs is installed, in a separate small environment; without a network it is skipped.
bash tools/build_docs.sh --tools || echo "run_tests: mkdocs cannot be installed; the site is not built" >&2
# One thread per process: two processes with two threads each would mostly wait for each other.
OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} "$python" -m pytest -n "${TEST_PROCESSES:-2}" --dist loadfile "$@"
