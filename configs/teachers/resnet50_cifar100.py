# mdistiller's ResNet-50 for CIFAR-100; a weights file of mdistiller goes through tools/convert_mdistiller.py.
_base_ = ['../_base_/models/resnet50_cifar100.py', '../nd/_base_/cifar100.py']
