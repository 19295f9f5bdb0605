# ResNet-50 of a quarter of the width for ImageNet alone, with the schedule of the NORM code.
_base_ = ['mmpretrain::_base_/models/resnet50.py', '../../norm/_base_/imagenet.py']

model = dict(
    backbone=dict(stem_channels=16, base_channels=16, zero_init_residual=False),  # zero_init_residual as released
    head=dict(in_channels=512, init_cfg=None),  # init_cfg as released
)
