# The student's teacher: wider.
_base_ = [
    'mmpretrain::_base_/models/resnet18_cifar.py',
    '_base_/digit_scenes_classification.py',
    '_base_/schedule_short.py',
]

data_preprocessor = dict(num_classes=10, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
model = dict(backbone=dict(base_channels=16, stem_channels=16), head=dict(in_channels=128))
