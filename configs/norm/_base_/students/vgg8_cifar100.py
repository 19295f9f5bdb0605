# VGG-8 for CIFAR-100 alone.
_base_ = '../cifar100.py'

model = dict(backbone=dict(type='mmkd_ext.CIFARVGG', depth=8), head=dict(in_channels=512))
