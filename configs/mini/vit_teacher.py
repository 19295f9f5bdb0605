# A small vision transformer that was trained on single digits and has never seen a scene. Its weights are shipped.
_base_ = ['_base_/digit_scenes_classification.py', '_base_/schedule_short.py']

data_preprocessor = dict(num_classes=10, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='VisionTransformer',
        arch=dict(embed_dims=96, num_layers=4, num_heads=4, feedforward_channels=192),
        img_size=32,
        patch_size=4,
        out_type='avg_featmap',
        final_norm=True,
    ),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=96, loss=dict(type='CrossEntropyLoss')),
)

train_dataloader = dict(dataset=dict(data_prefix='teacher'))
train_cfg = dict(max_epochs=4, val_interval=2)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', T_max=4, by_epoch=True, convert_to_iter_based=True),
]
