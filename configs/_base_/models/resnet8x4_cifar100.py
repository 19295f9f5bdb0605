# ResNet-8x4 for CIFAR-100.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmkd_ext.CIFARResNet', depth=8, channels=(32, 64, 128, 256)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=100, in_channels=256, init_cfg=None),  # PyTorch's initialisation
)
