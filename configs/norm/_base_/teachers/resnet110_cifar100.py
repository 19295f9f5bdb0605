# mdistiller's ResNet-110 for CIFAR-100; a weights file of mdistiller goes through tools/convert_mdistiller.py.
_base_ = '../cifar100.py'

model = dict(backbone=dict(type='mmkd_ext.CIFARResNet', depth=110), head=dict(in_channels=64))
