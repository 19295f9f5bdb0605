#!/usr/bin/env bash
# Builds the documentation site into build/docs; a warning is an error: bash tools/build_docs.sh [options of mkdocs build]
#
# Its tools are the extra `docs` of pyproject.toml. They get a separate small environment, in
# ${XDG_CACHE_HOME:-~/.cache}/mmkd_ext/docs-*; the API reference is read from the sources, so torch is not needed.
# --tools makes that environment and builds nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mmkd_ext
read -ra tools <<<"$(sed -n 's/^docs = \[\(.*\)\]$/\1/p' pyproject.toml | tr -d '",')"
key=$(printf '%s\n' "${tools[@]}" "${PYTHON:-}" | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c1-8)
env=$cache/docs-$key
if [ ! -f "$env/ready" ]; then
  echo "docs: installing ${tools[*]} in $env (a minute, once)" >&2
  "${PYTHON:-python3}" -m venv --clear "$env"
  "$env/bin/python" -m pip install -qq --disable-pip-version-check --retries 1 "${tools[@]}"
  touch "$env/ready"
fi
if [ "${1:-}" = --tools ]; then exit; fi
NO_MKDOCS_2_WARNING=1 "$env/bin/python" -m mkdocs build --quiet --clean "$@"
echo "docs: build/docs/index.html"
