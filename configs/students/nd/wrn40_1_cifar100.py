# WRN-40-1 for CIFAR-100 alone, with the schedule of the ND code.
_base_ = ['../../_base_/models/wrn40_1_cifar100.py', '../../nd/_base_/cifar100.py']
