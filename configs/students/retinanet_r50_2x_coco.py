# RetinaNet R50 FPN for COCO alone: mmdet's 2x config, 24 epochs of 8 x 2 images.
_base_ = 'mmdet::retinanet/retinanet_r50_fpn_2x_coco.py'

default_hooks = dict(checkpoint=dict(max_keep_ckpts=2))
