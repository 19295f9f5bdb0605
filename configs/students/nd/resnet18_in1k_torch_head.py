# ResNet-18 for ImageNet alone, with a classifier that starts as PyTorch's layers do; resnet18_in1k.py draws it anew.
_base_ = ['mmpretrain::_base_/models/resnet18.py', '../../nd/_base_/imagenet.py']

model = dict(backbone=dict(zero_init_residual=False), head=dict(init_cfg=None))  # as released where ResNet-34 teaches
