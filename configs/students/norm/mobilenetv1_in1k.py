# MobileNetV1 for ImageNet alone, with the schedule of the NORM code.
_base_ = ['../../_base_/models/mobilenetv1_in1k.py', '../../norm/_base_/imagenet.py']

model = dict(head=dict(init_cfg=None))  # as released
