# WRN-40-1 for CIFAR-100 alone, with the schedule of the NORM code.
_base_ = ['../../_base_/models/wrn40_1_cifar100.py', '../../norm/_base_/cifar100.py']
