# MobileNetV1 for ImageNet alone, with the schedule of the ND code.
_base_ = ['../../_base_/models/mobilenetv1_in1k.py', '../../nd/_base_/imagenet.py']
