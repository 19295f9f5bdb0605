# CWT: RetinaNet X101-64x4d teaches RetinaNet R50 on COCO; FPN levels. The student starts with the teacher's neck and
#     head.
# Teacher: mmdet's, of its 3x schedule at several image sizes (41.6 box AP).
# Student: ../_base_/students/retinanet_r50_2x_coco.py, which trains it alone.
# Schedule: mmdet's 2x, 24 epochs of 8 x 2 images, lr 0.01, a tenth from 16 and 22; gradients clipped at norm 35.
#     Another batch size: --auto-scale-lr.
# Published: the abstract has no number for this pair.
# Inferred: teacher, schedule, clipping, levels, alpha and what is inherited are those of MGD's code, whose student
#     alone has 37.4 AP (MGD 41.0). The connectors have no alignment layer and the teacher's width.
#     Sweep alpha by x 0.5, 2 and 5: MGD masks its map, which CWT does not, and that changes the scale of the loss.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['../_base_/students/retinanet_r50_2x_coco.py', '_base_/wiring/fpn_one_stage.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='mmdet::retinanet/retinanet_x101-64x4d_fpn_ms-640-800-3x_coco.py',
    teacher_ckpt='https://download.openmmlab.com/mmdetection/v2.0/retinanet/retinanet_x101_64x4d_fpn_mstrain_3x_coco/retinanet_x101_64x4d_fpn_mstrain_3x_coco_20210719_051838-022c2187.pth',
    inherit=['neck', 'bbox_head'],
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=2e-5)),
    ),
)
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
custom_imports = dict(imports=['mmkd_ext'])
