# CWT: Mask R-CNN R101 teaches Mask R-CNN R50 on COCO; FPN levels.
# Teacher: mmdet's, of its 2x schedule (40.8 box AP, 36.6 mask AP).
# Student: ../_base_/students/mask_rcnn_r50_2x_coco.py, which trains it alone.
# Schedule: mmdet's 2x, 24 epochs of 8 x 2 images, lr 0.02, a tenth from 16 and 22; gradients clipped at norm 35.
#     Another batch size: --auto-scale-lr.
# Published: the abstract has no number for this pair. mmdet's zoo: the student alone
#     39.2 box AP, 35.4 mask AP.
# Inferred: clipping, levels and alpha are those of MGD's code for two-stage detectors, which has other teachers. The
#     connectors have no alignment layer and the teacher's width.
#     Sweep alpha by x 0.5, 2 and 5: MGD masks its map, which CWT does not, and that changes the scale of the loss.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['../_base_/students/mask_rcnn_r50_2x_coco.py', '_base_/wiring/fpn.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='mmdet::mask_rcnn/mask-rcnn_r101_fpn_2x_coco.py',
    teacher_ckpt='https://download.openmmlab.com/mmdetection/v2.0/mask_rcnn/mask_rcnn_r101_fpn_2x_coco/mask_rcnn_r101_fpn_2x_coco_bbox_mAP-0.408__segm_mAP-0.366_20200505_071027-14b391c7.pth',
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=5e-7)),
    ),
)
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
custom_imports = dict(imports=['mmkd_ext'])
