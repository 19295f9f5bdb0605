# The same with ShuffleNetV1 as the student.
_base_ = 'resnet32x4_resnet8x4_cifar100.py'

abf = dict(in_channels=[240, 480, 960, 960], out_sizes=[32, 16, 8, 1])
