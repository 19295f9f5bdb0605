# ResNet-50 for ImageNet alone: mmpretrain's config.
_base_ = 'mmpretrain::resnet/resnet50_8xb32_in1k.py'

default_hooks = dict(checkpoint=dict(max_keep_ckpts=2))
