# WRN-40-1 for CIFAR-100.
_base_ = '../zero_bias.py'

model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmkd_ext.WideResNet', depth=40, widen_factor=1),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=100, in_channels=64, init_cfg=_base_.zero_bias),
)
