# ResNet-18 for ImageNet alone, with the schedule of MGD's code.
_base_ = ['mmpretrain::_base_/models/resnet18.py', '../../cwt/_base_/imagenet.py']
