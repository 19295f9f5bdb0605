#!/usr/bin/env bash
# Compute class means on several GPUs: tools/dist_class_means.sh CONFIG GPUS --out FILE [options of tools/class_means.py]
# More machines: NNODES, NODE_RANK and MASTER_ADDR on each; PORT if 29500 is taken. Without GPUs the processes use gloo.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
config=$1 gpus=$2
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here/..:${PYTHONPATH:-}" exec "${PYTHON:-python}" -m torch.distributed.run \
  --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$gpus" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
  "$here/class_means.py" "$config" --launcher pytorch "${@:3}"
