# A narrow Faster R-CNN for 96x96 images, trained from scratch.
_base_ = ['_base_/faster_rcnn_narrow.py', '_base_/digit_scenes_detection.py', '_base_/schedule_scenes.py']
