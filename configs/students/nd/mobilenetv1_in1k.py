# MobileNetV1 for ImageNet alone.
_base_ = ['../../_base_/models/mobilenetv1_in1k.py', '../../nd/_base_/imagenet.py']
