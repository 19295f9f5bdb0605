# ResNet-18 for ImageNet alone, with the schedule of the NORM code.
_base_ = ['mmpretrain::_base_/models/resnet18.py', '../../norm/_base_/imagenet.py']

model = dict(backbone=dict(zero_init_residual=False), head=dict(init_cfg=None))  # as released
