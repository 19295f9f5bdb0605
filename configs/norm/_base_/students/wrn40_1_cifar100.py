# WRN-40-1 for CIFAR-100 alone.
_base_ = '../cifar100.py'

model = dict(backbone=dict(type='mmkd_ext.WideResNet', depth=40, widen_factor=1), head=dict(in_channels=64))
