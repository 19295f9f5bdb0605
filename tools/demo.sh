#!/usr/bin/env bash
# The main job on the embedded default: a Faster R-CNN on handwritten digits, alone and distilled, compared.
#
#   bash tools/demo.sh                  set-up, data, student alone, student distilled, evaluation of both and of the teacher
#   bash tools/demo.sh --from-scratch   the same with a teacher trained here (20 minutes more) instead of the shipped one
#   bash tools/demo.sh --seeds 3        three seeds each: the table of the README
#
# Stopped at any point, it goes on from there when it is called again. Everything is under work_dirs/demo
# (work_dirs/demo_from_scratch).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
from_scratch=false seeds=1
while [ $# -gt 0 ]; do
  case "$1" in
    --from-scratch) from_scratch=true; shift ;;
    --seeds) seeds=${2:-}; [[ "$seeds" =~ ^[1-9][0-9]*$ ]] || { echo "demo: --seeds needs a number, got '$seeds'." >&2; exit 2; }; shift 2 ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
done

python=$(bash tools/setup_env.sh --python)
stock=$("$python" -c 'import importlib.util as u; print(u.find_spec("mmdet").submodule_search_locations[0] + "/.mim/tools")')
out=work_dirs/demo mini=configs/mini
if $from_scratch; then out=work_dirs/demo_from_scratch; fi
mkdir -p "$out"
export PYTHONWARNINGS=ignore OMP_NUM_THREADS=1
set -m  # each training is a process group of its own, so that a stop stops all of it
trap 'for job in $(jobs -p); do kill -- "-$job" 2>/dev/null || true; done' EXIT
trap 'exit 130' INT TERM
step() { printf '\n== %s\n' "$*"; }

train() {  # train NAME CONFIG SEED [cfg-options...]: resumes what was interrupted, skips what is done
  local dir=$out/$1 config=$2 seed=$3; shift 3
  if [ -f "$dir/done" ]; then echo "done before: $dir"; return; fi
  local resume=(); [ ! -f "$dir/last_checkpoint" ] || resume=(--resume)
  # Everything in the log; on the screen how far it is, the losses and, after an evaluation, the mAP.
  if "$python" tools/train.py "$config" --work-dir "$dir" "${resume[@]}" --cfg-options randomness.seed="$seed" "$@" 2>&1 |
    tee -a "$dir.log" |
    sed -unE "s/.*Epoch\\(train\\) *(\\[[0-9]+\\]\\[[ 0-9]+\\/[0-9]+\\]).*(eta: [0-9:]+).* (loss: [0-9.]+).*/$1: \\1 \\2 \\3/p
      s/.*Epoch\\(val\\) *(\\[[0-9]+\\])\\[([0-9]+)\\/\\2\\].*bbox_mAP: ([0-9.]+) .*/$1: \\1 bbox mAP \\3/p
      s/^(error: .*)/$1: \\1/p"; then
    touch "$dir/done"
  elif tail -n 1 "$dir.log" | grep -q 'nothing is left to do'; then  # stopped between the last checkpoint and here
    touch "$dir/done"
  else
    echo "demo: training $1 failed, see $dir.log" >&2; return 1
  fi
}

evaluate() {  # evaluate NAME CONFIG CHECKPOINT: by mmdet's own test.py
  local dir=$out/test/$1
  if [ ! -f "$dir/predictions.pkl" ]; then
    rm -rf "$dir"; mkdir -p "$dir"
    "$python" "$stock/test.py" "$2" "$3" --work-dir "$dir" --out "$dir/predictions.pkl" >"$dir/log.txt" 2>&1 ||
      { echo "demo: evaluation failed, see $dir/log.txt" >&2; exit 1; }
  fi
  echo "$1: $(grep -ohE 'coco/bbox_mAP: [0-9.]+' "$dir/log.txt" | tail -n 1)"
}

step 'data'
"$python" tools/dataset/digit_scenes.py

teacher=$mini/checkpoints/faster_rcnn_teacher.pth
if $from_scratch; then
  step 'teacher'
  train teacher $mini/faster_rcnn_teacher.py 0
  teacher=$(cat $out/teacher/last_checkpoint)
fi
# Both at the same time: a narrow network on small images keeps one core busy, and hardly two.
for ((seed = 0; seed < seeds; seed++)); do
  step "student alone, and student distilled by CWT (seed $seed)"
  train student_seed$seed $mini/faster_rcnn_student.py $seed & alone=$!
  train cwt_seed$seed $mini/faster_rcnn_cwt.py $seed model.teacher_ckpt="$teacher" & distilled=$!
  wait $alone; wait $distilled
done

step "evaluation: mmdet's test.py, the student's plain config for both students"
evaluate teacher $mini/faster_rcnn_teacher.py "$teacher"
for ((seed = 0; seed < seeds; seed++)); do
  evaluate student_alone_seed$seed $mini/faster_rcnn_student.py "$(cat $out/student_seed$seed/last_checkpoint)"
  evaluate student_cwt_seed$seed $mini/faster_rcnn_student.py "$(cat $out/cwt_seed$seed/last_checkpoint)"
done

step 'result'
"$python" tools/report.py $out/test/*
"$python" tools/report.py $(for ((s = 0; s < seeds; s++)); do echo $out/student_seed$s $out/cwt_seed$s; done) --out $out | tail -n 1
"$python" tools/demo_pictures.py data/digit_scenes/annotations/instances_val.json data/digit_scenes/images/val \
  "student alone=$out/test/student_alone_seed0/predictions.pkl" "student distilled=$out/test/student_cwt_seed0/predictions.pkl" \
  "teacher=$out/test/teacher/predictions.pkl" --out $out/detections.png | tail -n 1
