# WRN-16-2 for CIFAR-100 alone, with the schedule of the NORM code.
_base_ = ['../../_base_/models/wrn16_2_cifar100.py', '../../norm/_base_/cifar100.py']
