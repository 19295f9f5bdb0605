# ResNet-32 for CIFAR-100 alone, with the schedule of the NORM code.
_base_ = ['../../_base_/models/resnet32_cifar100.py', '../../norm/_base_/cifar100.py']
