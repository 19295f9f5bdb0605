# ResNet-8x4 for CIFAR-100 alone.
_base_ = '../cifar100.py'

model = dict(
    backbone=dict(type='mmkd_ext.CIFARResNet', depth=8, channels=(32, 64, 128, 256)), head=dict(in_channels=256)
)
