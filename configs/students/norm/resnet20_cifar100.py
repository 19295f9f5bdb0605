# ResNet-20 for CIFAR-100 alone, with the schedule of the NORM code.
_base_ = ['../../_base_/models/resnet20_cifar100.py', '../../norm/_base_/cifar100.py']
