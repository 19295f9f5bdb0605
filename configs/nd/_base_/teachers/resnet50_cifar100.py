# mdistiller's ResNet-50 for CIFAR-100; a weights file of mdistiller goes through tools/convert_mdistiller.py.
_base_ = '../cifar100.py'

model = dict(backbone=dict(type='ResNet_CIFAR', depth=50, zero_init_residual=False), head=dict(in_channels=2048))
