# mdistiller's ResNet-110 for CIFAR-100; convert its weights with tools/convert_mdistiller.py.
_base_ = ['../_base_/models/resnet110_cifar100.py', '../nd/_base_/cifar100.py']
