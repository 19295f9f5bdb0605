# The student's teacher: wider, trained on many more digits, none of which the student sees. Its weights are shipped.
_base_ = [
    'mmpretrain::_base_/models/resnet18_cifar.py',
    '_base_/digit_scenes_classification.py',
    '_base_/schedule_short.py',
]

data_preprocessor = dict(num_classes=10, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
model = dict(backbone=dict(base_channels=16, stem_channels=16), head=dict(in_channels=128))

train_dataloader = dict(dataset=dict(data_prefix='teacher'))
train_cfg = dict(max_epochs=5, val_interval=1)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', T_max=5, by_epoch=True, convert_to_iter_based=True),
]
