# mdistiller's WRN-40-2 for CIFAR-100; a weights file of mdistiller goes through tools/convert_mdistiller.py.
_base_ = '../cifar100.py'

model = dict(backbone=dict(type='mmkd_ext.WideResNet', depth=40, widen_factor=2), head=dict(in_channels=128))
