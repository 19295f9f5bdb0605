# A narrow RTMDet for 96x96 images, without pretrained weights: three stages and levels of strides 4 to 16, since digits
# are 20 to 40 pixels high; otherwise mmdet's RTMDet-tiny.
bn = dict(type='BN')
silu = dict(type='SiLU', inplace=True)
model = dict(
    type='RTMDet',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[103.53, 116.28, 123.675], std=[57.375, 57.12, 58.395], bgr_to_rgb=False
    ),
    backbone=dict(
        type='CSPNeXt',
        arch_ovewrite=[[64, 128, 3, True, False], [128, 256, 6, True, False], [256, 512, 3, False, True]],
        deepen_factor=0.167,
        widen_factor=0.125,
        out_indices=(1, 2, 3),
        norm_cfg=bn,
        act_cfg=silu,
    ),
    neck=dict(
        type='CSPNeXtPAFPN',
        in_channels=[16, 32, 64],
        out_channels=32,
        num_csp_blocks=1,
        norm_cfg=bn,
        act_cfg=silu,
    ),
    bbox_head=dict(
        type='RTMDetSepBNHead',
        num_classes=10,
        in_channels=32,
        feat_channels=32,
        stacked_convs=2,
        anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[4, 8, 16]),
        bbox_coder=dict(type='DistancePointBBoxCoder'),
        loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0, loss_weight=1.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
        with_objectness=False,
        exp_on_reg=False,
        share_conv=True,
        pred_kernel_size=1,
        norm_cfg=bn,
        act_cfg=silu,
    ),
    train_cfg=dict(
        assigner=dict(type='DynamicSoftLabelAssigner', topk=13), allowed_border=-1, pos_weight=-1, debug=False
    ),
    test_cfg=dict(
        nms_pre=200, min_bbox_size=0, score_thr=0.01, nms=dict(type='nms', iou_threshold=0.65), max_per_img=30
    ),
)
