# ShuffleNetV1 for CIFAR-100.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmkd_ext.CIFARShuffleNetV1'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=100, in_channels=960, init_cfg=None),  # PyTorch's initialisation
)
