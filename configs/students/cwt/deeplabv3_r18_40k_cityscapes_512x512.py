# DeepLabV3 R18-D8 for Cityscapes alone, on square crops, with the schedule of MGD's code.
_base_ = ['mmseg::_base_/models/deeplabv3_r50-d8.py', '../../cwt/_base_/cityscapes_512x512.py']

model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    pretrained='open-mmlab://resnet18_v1c',
    backbone=dict(depth=18),
    decode_head=dict(in_channels=512, channels=128),
    auxiliary_head=dict(in_channels=256, channels=64),
)
