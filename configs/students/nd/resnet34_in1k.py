# ResNet-34 for ImageNet alone, with the schedule of the ND code.
_base_ = ['mmpretrain::_base_/models/resnet34.py', '../../nd/_base_/imagenet.py']

model = dict(backbone=dict(zero_init_residual=False))  # as in resnet18_in1k.py
