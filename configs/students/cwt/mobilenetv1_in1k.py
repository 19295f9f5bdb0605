# MobileNetV1 for ImageNet alone, with the schedule of MGD's code.
_base_ = ['../../_base_/models/mobilenetv1_in1k.py', '../../cwt/_base_/imagenet.py']
