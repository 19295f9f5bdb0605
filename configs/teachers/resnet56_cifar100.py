# mdistiller's ResNet-56 for CIFAR-100; a weights file of mdistiller goes through tools/convert_mdistiller.py.
_base_ = ['../_base_/models/resnet56_cifar100.py', '../nd/_base_/cifar100.py']
