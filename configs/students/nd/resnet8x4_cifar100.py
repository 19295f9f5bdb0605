# ResNet-8x4 for CIFAR-100 alone, with the schedule of the ND code.
_base_ = ['../../_base_/models/resnet8x4_cifar100.py', '../../nd/_base_/cifar100.py']
