# Faster R-CNN R50 FPN for COCO alone: mmdet's 1x config.
_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'

default_hooks = dict(checkpoint=dict(max_keep_ckpts=2))
