# The teacher: wider, and trained on many more scenes, none of which the student sees. Its weights are shipped.
_base_ = [
    'mmseg::_base_/models/pspnet_r50-d8.py',
    '_base_/digit_scenes_segmentation.py',
    '_base_/schedule_teacher.py',
]

norm_cfg = dict(type='BN', requires_grad=True)
loss = dict(class_weight=[0.1] + 10 * [1.0])  # nine tenths of the pixels are background
model = dict(
    pretrained=None,
    data_preprocessor=dict(size_divisor=32),
    backbone=dict(
        depth=18,
        num_stages=3,
        strides=(1, 1, 1),
        dilations=(1, 2, 4),
        out_indices=(0, 1, 2),
        base_channels=32,
        stem_channels=32,
        norm_cfg=norm_cfg,
    ),
    decode_head=dict(in_channels=128, in_index=2, channels=64, num_classes=11, norm_cfg=norm_cfg, loss_decode=loss),
    auxiliary_head=dict(in_channels=64, in_index=1, channels=64, num_classes=11, norm_cfg=norm_cfg, loss_decode=loss),
)
# AdamW moves a weight by about the learning rate at most, and the last layers have few inputs: they get a higher rate.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10.0))))

train_dataloader = dict(dataset=dict(data_prefix=dict(img_path='images/teacher', seg_map_path='semantic/teacher')))
