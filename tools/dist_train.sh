#!/usr/bin/env bash
# Train on several GPUs of one machine or more: tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
# More machines: NNODES, NODE_RANK and MASTER_ADDR on each; PORT if 29500 is taken. Without GPUs the processes use gloo.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
config=$1 gpus=$2
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here/..:${PYTHONPATH:-}" exec "${PYTHON:-python}" -m torch.distributed.run \
  --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$gpus" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
  "$here/train.py" "$config" --launcher pytorch "${@:3}"
