# CWT: Faster R-CNN R101 teaches Faster R-CNN R50 on COCO; FPN levels.
# Teacher: mmdet's, of its 2x schedule (39.8 box AP).
# Student: ../_base_/students/faster_rcnn_r50_2x_coco.py, which trains it alone.
# Schedule: mmdet's 2x, 24 epochs of 8 x 2 images, lr 0.02, a tenth from 16 and 22; gradients clipped at norm 35.
#     Another batch size: --auto-scale-lr.
# Published: the abstract has no number for this pair. mmdet's zoo: the student alone 38.4 box AP.
#     ../baselines has FitNet, CWD, PKD and MGD for the same pair and schedule.
# Inferred: clipping, levels and alpha are those of MGD's code for two-stage detectors, which has other teachers. The
#     connectors have no alignment layer and the teacher's width.
#     Sweep alpha by x 0.5, 2 and 5: MGD masks its map, which CWT does not, and that changes the scale of the loss.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['../_base_/students/faster_rcnn_r50_2x_coco.py', '_base_/wiring/fpn.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='mmdet::faster_rcnn/faster-rcnn_r101_fpn_2x_coco.py',
    teacher_ckpt='https://download.openmmlab.com/mmdetection/v2.0/faster_rcnn/faster_rcnn_r101_fpn_2x_coco/faster_rcnn_r101_fpn_2x_coco_bbox_mAP-0.398_20200504_210455-1d2dac9c.pth',
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=5e-7)),
    ),
)
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
custom_imports = dict(imports=['mmkd_ext'])
