# RegNetY-16GF for ImageNet, from timm (`pip install timm`).
_base_ = '../nd/_base_/imagenet.py'

model = dict(
    type='ImageClassifier',
    backbone=dict(type='TIMMBackbone', model_name='regnety_160'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=1000, in_channels=3024),
)
