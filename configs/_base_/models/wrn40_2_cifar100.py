# WRN-40-2 for CIFAR-100.
_base_ = '../zero_bias.py'

model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmkd_ext.WideResNet', depth=40, widen_factor=2),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=100, in_channels=128, init_cfg=_base_.zero_bias),
)
