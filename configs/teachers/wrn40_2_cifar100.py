# mdistiller's WRN-40-2 for CIFAR-100; convert its weights with tools/convert_mdistiller.py.
_base_ = ['../_base_/models/wrn40_2_cifar100.py', '../nd/_base_/cifar100.py']
