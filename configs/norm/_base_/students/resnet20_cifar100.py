# ResNet-20 for CIFAR-100 alone.
_base_ = '../cifar100.py'

model = dict(backbone=dict(type='mmkd_ext.CIFARResNet', depth=20), head=dict(in_channels=64))
