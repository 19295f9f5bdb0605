# A narrow RetinaNet for 96x96 images, without pretrained weights: levels of strides 4 to 16, since digits are 20 to 40
# pixels high, and normalisation layers in the head, without which it learns half as much from scratch.
_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'

model = dict(
    backbone=dict(
        depth=18,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(0, 1, 2),
        base_channels=16,
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[16, 32, 64], out_channels=32, start_level=0, add_extra_convs=False, num_outs=3),
    bbox_head=dict(
        num_classes=10,
        in_channels=32,
        stacked_convs=2,
        feat_channels=32,
        norm_cfg=dict(type='GN', num_groups=8),
        anchor_generator=dict(scales_per_octave=2, ratios=[1.0, 2.0], strides=[4, 8, 16]),
    ),
    test_cfg=dict(nms_pre=200, score_thr=0.01, max_per_img=30),
)
