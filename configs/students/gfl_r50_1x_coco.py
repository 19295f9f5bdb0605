# GFL R50 FPN for COCO alone: mmdet's 1x config, 12 epochs of 8 x 2 images.
_base_ = 'mmdet::gfl/gfl_r50_fpn_1x_coco.py'

default_hooks = dict(checkpoint=dict(max_keep_ckpts=2))
