# WRN-16-2 for CIFAR-100 alone.
_base_ = '../cifar100.py'

model = dict(backbone=dict(type='mmkd_ext.WideResNet', depth=16, widen_factor=2), head=dict(in_channels=128))
