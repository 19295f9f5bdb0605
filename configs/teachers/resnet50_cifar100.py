# mdistiller's ResNet-50 for CIFAR-100; convert its weights with tools/convert_mdistiller.py.
_base_ = ['../_base_/models/resnet50_cifar100.py', '../nd/_base_/cifar100.py']
