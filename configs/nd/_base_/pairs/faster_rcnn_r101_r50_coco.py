# Faster R-CNN R101 teaches Faster R-CNN R50 on COCO: both networks and the teacher's weights; a leaf says what is
# compared.
_base_ = '../students/faster_rcnn_r50_coco.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.RoIDistill',
    architecture=_base_.model,
    teacher='mmdet::faster_rcnn/faster-rcnn_r101_fpn_ms-3x_coco.py',
    teacher_ckpt='https://download.openmmlab.com/mmdetection/v2.0/faster_rcnn/faster_rcnn_r101_fpn_mstrain_3x_coco/faster_rcnn_r101_fpn_mstrain_3x_coco_20210524_110822-4d4d2ca8.pth',
)
custom_imports = dict(imports=['mmkd_ext'])
