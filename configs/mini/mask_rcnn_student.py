# The narrow Faster R-CNN with a mask branch.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    '_base_/digit_scenes_instance.py',
    '_base_/schedule_short.py',
]
