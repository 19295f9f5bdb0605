# Faster R-CNN MobileNetV2 FPN for COCO alone, like faster_rcnn_r50_coco.py. Only batch norms are frozen, as in
# Detectron2.
_base_ = 'faster_rcnn_r50_coco.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='MobileNetV2',
        # Strides 4, 8, 16, 32. The authors stop at layer 6 (320 channels); mmdet's backbone runs the last 1x1
        # convolution in any case, and distributed training refuses parameters that no loss depends on.
        out_indices=(1, 2, 4, 7),
        frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://mmdet/mobilenet_v2'),
    ),
    neck=dict(in_channels=[24, 32, 96, 1280]),
)
