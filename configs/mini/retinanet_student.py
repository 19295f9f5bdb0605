# A narrow RetinaNet for 96x96 images, trained from scratch.
_base_ = ['_base_/retinanet_narrow.py', '_base_/digit_scenes_detection.py', '_base_/schedule_scenes.py']
