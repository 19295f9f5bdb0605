# The same with ShuffleNetV2 as the student.
_base_ = 'resnet32x4_resnet8x4_cifar100.py'

abf = dict(in_channels=[116, 232, 464, 1024], out_sizes=[32, 16, 8, 1])
