# ResNet-32 for CIFAR-100 alone, with the schedule of the Tf-FD code.
_base_ = ['../../_base_/models/resnet32_cifar100.py', '../../tfd/_base_/cifar100.py']
