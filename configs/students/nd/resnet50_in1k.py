# ResNet-50 for ImageNet alone.
_base_ = ['mmpretrain::_base_/models/resnet50.py', '../../nd/_base_/imagenet.py']

model = dict(backbone=dict(zero_init_residual=False))  # as the smaller one
