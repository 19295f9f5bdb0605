# mdistiller's ResNet-32x4 for CIFAR-100; convert its weights with tools/convert_mdistiller.py.
_base_ = ['../_base_/models/resnet32x4_cifar100.py', '../nd/_base_/cifar100.py']
