# Faster R-CNN R18 FPN for COCO alone, like faster_rcnn_r50_coco.py.
_base_ = 'faster_rcnn_r50_coco.py'

model = dict(
    backbone=dict(depth=18, init_cfg=dict(checkpoint='torchvision://resnet18')),
    neck=dict(in_channels=[64, 128, 256, 512]),
)
