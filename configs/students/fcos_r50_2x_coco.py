# FCOS R50 FPN for COCO alone: mmdet's 2x config at two image sizes, 24 epochs of 8 x 2 images.
_base_ = 'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_ms-640-800-2x_coco.py'

default_hooks = dict(checkpoint=dict(max_keep_ckpts=2))
