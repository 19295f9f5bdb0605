# ResNet-20 for CIFAR-100 alone, with the schedule of the Tf-FD code.
_base_ = ['../../_base_/models/resnet20_cifar100.py', '../../tfd/_base_/cifar100.py']
