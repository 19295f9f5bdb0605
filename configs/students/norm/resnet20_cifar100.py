# ResNet-20 for CIFAR-100 alone.
_base_ = ['../../_base_/models/resnet20_cifar100.py', '../../norm/_base_/cifar100.py']
