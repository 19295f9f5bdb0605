# The student's teacher: wider, and trained for longer.
_base_ = ['_base_/faster_rcnn_wide.py', '_base_/digit_scenes_detection.py', '_base_/schedule_long.py']
