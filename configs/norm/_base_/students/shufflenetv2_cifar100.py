# ShuffleNetV2 for CIFAR-100 alone.
_base_ = '../cifar100.py'

model = dict(backbone=dict(type='mmkd_ext.CIFARShuffleNetV2'), head=dict(in_channels=1024))
optim_wrapper = dict(optimizer=dict(lr=0.01))
