# VGG-8 for CIFAR-100 alone, with the schedule of the NORM code.
_base_ = ['../../_base_/models/vgg8_cifar100.py', '../../norm/_base_/cifar100.py']
