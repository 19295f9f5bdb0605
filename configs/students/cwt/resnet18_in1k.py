# ResNet-18 for ImageNet alone.
_base_ = ['mmpretrain::_base_/models/resnet18.py', '../../cwt/_base_/imagenet.py']
