#!/usr/bin/env bash
# Sets up everything that mmkd_ext needs and checks that it works; another run takes seconds.
#
#   bash tools/setup_env.sh            in an active virtual or conda environment: adds what is missing there, and never
#                                      replaces a torch, torchvision or mmcv that imports
#                                      else: makes the reference environment in ${XDG_CACHE_HOME:-~/.cache}/mmkd_ext
#   bash tools/setup_env.sh --python   the same, and prints the path of the environment's python on stdout (for scripts)
#
# PYTHON=/path/to/python chooses the interpreter for a new environment; MMKD_EXT_ENV=DIR its folder.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mmkd_ext
print_python=false
case "${1:-}" in
  --python) print_python=true ;;
  '') ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac

say() { printf '%s\n' "$*" >&2; }
die() { say "setup: $*"; exit 1; }
# Progress lines go to stderr; the output of pip and the compiler goes to a log, which is named if they fail.
mkdir -p "$cache" || die "cannot write to $cache: set XDG_CACHE_HOME to a folder that you may write to."
log=$cache/setup-$$.log
: >"$log"
trap 'rm -f "$log.ok"' EXIT

quiet() {  # quiet WHAT COMMAND...: runs the command into the log; a failure becomes one sentence
  local what=$1 began=$SECONDS from; shift
  from=$(($(wc -l <"$log") + 1))
  say "setup: $what ..."
  if ! "$@" >>"$log" 2>&1; then
    tail -n "+$from" "$log" >"$log.ok"
    if grep -qiE 'no space left|disk quota' "$log.ok"; then die "$what failed: the disk is full ($(df -Ph "$cache" | awk 'NR==2{print $4}') left on the disk of $cache, about 9 GB are needed). Log: $log"; fi
    if grep -qiE 'temporary failure in name|connection (refused|reset|error)|network is unreachable|max retries|newconnectionerror|read timed out|proxyerror' "$log.ok"; then die "$what failed: the package index cannot be reached; check the network or pip's index settings, then run this again. Log: $log"; fi
    if grep -q 'ensurepip is not available' "$log.ok"; then die "$what failed: Python's venv module is incomplete; install it (Debian, Ubuntu: apt-get install python3-venv), then run this again."; fi
    die "$what failed; the last lines of $log say why: $(grep -v '^[[:space:]]*$' "$log" | tail -n 1)"
  fi
  say "setup: $what done ($((SECONDS - began)) s)"
}

# 3.13 is not: the setup.py of mmcv 2.1.0 stops there (it reads its version from `locals()`, which PEP 667 changed).
supported() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; }

find_python() {
  local p
  for p in ${PYTHON:-} python3 python3.11 python3.12 python3.10 python; do
    if command -v "$p" >/dev/null 2>&1 && supported "$p"; then command -v "$p"; return; fi
  done
  die "no Python 3.10 to 3.12 was found (mmcv 2.1.0 does not build on 3.13); install one or name it: PYTHON=/path/to/python3.11 bash tools/setup_env.sh"
}

has_ops() { "$1" -c 'import mmcv.ops' >/dev/null 2>&1; }

install_mmcv() {  # into $py; the built wheel is kept, one for each pair of torch and Python
  if has_ops "$py"; then return; fi
  command -v c++ >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1 || [ -n "${CXX:-}" ] ||
    die "mmcv's ops must be compiled and there is no C++ compiler; install one (Debian, Ubuntu: apt-get install g++), then run this again."
  local wheels
  wheels=$cache/wheels/$("$py" -c 'import sys, torch; print(f"py{sys.version_info[0]}{sys.version_info[1]}-torch{torch.__version__}")')
  if ! ls "$wheels"/mmcv-2.1.0-*.whl >/dev/null 2>&1; then
    rm -rf "$wheels.part"; mkdir -p "$wheels.part"
    quiet 'building mmcv 2.1.0 with its ops (about 10 minutes on 2 cores, once)' \
      env MMCV_WITH_OPS=1 MAX_JOBS="${MAX_JOBS:-$(nproc 2>/dev/null || echo 2)}" "$py" -m pip wheel --no-build-isolation --no-deps --no-cache-dir \
      --wheel-dir "$wheels.part" mmcv==2.1.0
    rm -rf "$wheels"; mv "$wheels.part" "$wheels"
  fi
  quiet 'installing mmcv' "$py" -m pip install --no-deps --force-reinstall "$wheels"/mmcv-2.1.0-*.whl
  has_ops "$py" || die "mmcv was built but its ops do not import: $("$py" -c 'import mmcv.ops' 2>&1 | tail -n 1)"
}

install_package() {  # editable, and again only where another checkout (or none) is installed
  local at
  at=$(cd / && "$py" -c 'import importlib.util as u; s = u.find_spec("mmkd_ext"); print(s.origin if s else "")' 2>/dev/null || true)
  if [ "$at" != "$root/mmkd_ext/__init__.py" ]; then
    quiet 'installing mmkd_ext (editable)' "$py" -m pip install --no-deps --no-build-isolation -e "$root"
  fi
}

prove() { quiet 'checking that every toolbox imports and the ops run' "$py" "$root/tools/check_env.py"; }

extras=(scikit-learn pytest pytest-xdist ruff mypy pre-commit)  # as the extra `dev` of pyproject.toml
key=$({ cat "$root/requirements.txt" "$root/constraints.txt"; printf '%s\n' "${extras[@]}" "${PYTHON:-}"; } | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c1-12)
active=${VIRTUAL_ENV:-${CONDA_PREFIX:-}}

if [ -n "$active" ] && [ "$active" != "${MMKD_EXT_ENV:-}" ] && [[ "$active" != "$cache"/env-* ]]; then
  py=$active/bin/python
  [ -x "$py" ] || die "the active environment $active has no bin/python; deactivate it or make it anew."
  supported "$py" || die "the active environment's Python is $("$py" -V 2>&1); 3.10 to 3.12 are supported (mmcv 2.1.0 does not build on 3.13)."
  ready=$active/.mmkd_ext_ready
  if [ "$(cat "$ready" 2>/dev/null)" != "$key" ]; then
    keep=$cache/keep-$$.txt
    "$py" -m pip --version >/dev/null 2>&1 || "$py" -m ensurepip >>"$log" 2>&1 ||
      die "the active environment $active has no pip; install pip there (conda install pip, uv pip install pip), then run this again."
    # Packages that import stay as they are, whatever their version: they become constraints for everything else.
    "$py" "$root/tools/missing_requirements.py" "$root/requirements.txt" --extra "${extras[@]}" --constraints "$keep" \
      --reference "$root/constraints.txt" >"$log.ok" 2>>"$log" ||
      die "could not read what the environment $active has installed: $(tail -n 1 "$log")"
    mapfile -t missing < <(grep -Ev '^(mmcv|$)' "$log.ok" || true)
    first=(); for m in "${missing[@]}"; do case "$m" in torch*|setuptools*) first+=("$m") ;; esac; done
    [ ${#first[@]} -eq 0 ] || quiet "installing ${first[*]}" "$py" -m pip install -c "$keep" "${first[@]}"
    if ! has_ops "$py"; then quiet 'installing the build tools' "$py" -m pip install -c "$keep" wheel ninja psutil; fi
    [ ${#missing[@]} -eq 0 ] || quiet "installing what is missing (${#missing[@]} packages)" "$py" -m pip install -c "$keep" "${missing[@]}"
    rm -f "$keep"
    install_mmcv
    install_package
    prove
    printf '%s\n' "$key" >"$ready"
  else
    install_package
  fi
else
  env=${MMKD_EXT_ENV:-$cache/env-$key}
  py=$env/bin/python
  ready=$env/.mmkd_ext_ready
  exec 9>"$cache/lock"; if command -v flock >/dev/null 2>&1; then flock 9; fi   # two callers make one environment
  if [ ! -f "$ready" ]; then
    python=$(find_python)
    free=$(df -Pk "$cache" | awk 'NR==2{print int($4 / 1048576)}')
    [ "$free" -ge 9 ] || [ -x "$py" ] || die "$free GB are free on the disk of $cache and about 9 are needed; free some or set XDG_CACHE_HOME."
    say "setup: making the reference environment in $env (a quarter of an hour, once)"
    "$py" -m pip --version >/dev/null 2>&1 || quiet "creating a virtual environment with $("$python" -V)" "$python" -m venv --clear "$env"
    pip_install() { "$py" -m pip install -c "$root/constraints.txt" "$@"; }
    quiet 'installing torch (about 5 GB)' pip_install torch torchvision
    quiet 'installing the build tools' pip_install 'setuptools<82' wheel ninja psutil
    grep -v '^mmcv' "$root/requirements.txt" >"$log.ok"
    quiet 'installing mmdet, mmpretrain, mmsegmentation, mmrazor' pip_install -r "$log.ok" "${extras[@]}"
    install_mmcv
    install_package
    prove
    : >"$ready"
    for old in "$cache"/env-*; do
      [ "$old" = "$env" ] || say "setup: $old is of other requirements; where no checkout uses it any more: rm -rf $old"
    done
  else
    install_package
  fi
  if ! $print_python; then say "setup: ready. Activate it with: source $env/bin/activate"; fi
fi
rm -f "$log"
if $print_python; then printf '%s\n' "$py"; fi
