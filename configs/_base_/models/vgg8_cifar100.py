# VGG-8 for CIFAR-100.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmkd_ext.CIFARVGG', depth=8),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=100, in_channels=512),
)
