# VGG-8 for CIFAR-100 alone.
_base_ = ['../../_base_/models/vgg8_cifar100.py', '../../tfd/_base_/cifar100.py']
