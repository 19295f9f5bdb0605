# ResNet-18 for ImageNet alone: mmpretrain's config.
_base_ = 'mmpretrain::resnet/resnet18_8xb32_in1k.py'

default_hooks = dict(checkpoint=dict(max_keep_ckpts=2))
