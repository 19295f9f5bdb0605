# ResNet-8 alone, on 5,000 JPEG images of CIFAR-10; make the data with: python studies/cifar10/prepare.py
_base_ = 'mmpretrain::_base_/default_runtime.py'

data_root = 'data/cifar10_jpeg'
# The batch size is 64. A weight that grows over 20 of 240 epochs in the paper grows over 1 of 12 here.
epochs, steps = 12, 78

data_preprocessor = dict(num_classes=10, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmkd_ext.CIFARResNet', depth=8),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=64, init_cfg=None),  # PyTorch's initialisation
)

pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmkd_ext.InMemoryImages',
        dataset=dict(
            type='CustomDataset',
            data_root=data_root,
            data_prefix='student',
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='RandomCrop', crop_size=32, padding=4),
                dict(type='RandomFlip', prob=0.5, direction='horizontal'),
                dict(type='PackInputs'),
            ],
        ),
    ),
)
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CustomDataset', data_root=data_root, data_prefix='val', pipeline=pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=1)
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=5e-4, nesterov=True))
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=False, T_max=epochs * steps)
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_begin=epochs + 1)  # tools/study.py does the test
val_cfg = dict()
test_cfg = dict()

default_hooks = dict(
    logger=dict(interval=39),
    checkpoint=dict(interval=4, max_keep_ckpts=1),
    channels_last=dict(type='mmkd_ext.ChannelsLastHook'),
)
randomness = dict(seed=0)
custom_imports = dict(imports=['mmkd_ext'])
