#!/usr/bin/env bash
# The main example on the built-in data set: a Faster R-CNN on handwritten digits, trained alone and distilled, compared.
#
#   bash tools/demo.sh                  set-up, data, student alone, student distilled, evaluation of both and of the teacher
#   bash tools/demo.sh --from-scratch   the same with a teacher trained here (5 minutes more) instead of the shipped one
#   bash tools/demo.sh --seeds 3        three seeds each
#
# It can be stopped at any point and continues from there when it is run again. Everything is under work_dirs/demo
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
out=work_dirs/demo mini=configs/mini teacher=()
if $from_scratch; then out=work_dirs/demo_from_scratch; fi
export PYTHONWARNINGS=ignore OMP_NUM_THREADS=1
step() { printf '\n== %s\n' "$*"; }

step 'data'
"$python" tools/dataset/digit_scenes.py

if $from_scratch; then
  step 'teacher'
  "$python" tools/study.py $mini/faster_rcnn_teacher.py --seeds 1 --out $out/teacher
  teacher=(--teacher-ckpt "$(cat $out/teacher/faster_rcnn_teacher_seed0/last_checkpoint)")
fi
# Two at the same time: a narrow network on small images keeps only one core busy.
step "student alone, and student distilled by KD; each tested by mmdet's test.py with the student's plain config"
"$python" tools/study.py $mini/faster_rcnn_student.py $mini/faster_rcnn_kd.py --seeds "$seeds" --out $out ${teacher[@]+"${teacher[@]}"}

step 'pictures'
"$python" tools/demo_pictures.py data/digit_scenes/annotations/instances_val.json data/digit_scenes/images/val \
  "student alone=$out/test/faster_rcnn_student_seed0/predictions.pkl" \
  "student distilled=$out/test/faster_rcnn_kd_seed0/predictions.pkl" \
  "teacher=$out/test/faster_rcnn_teacher/predictions.pkl" --out $out/detections.png | tail -n 1
