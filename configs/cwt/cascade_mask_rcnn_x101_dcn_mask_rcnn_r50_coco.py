# CWT: Cascade Mask R-CNN X101-32x4d with deformable convolutions teaches Mask R-CNN R50 on COCO; FPN levels.
_base_ = [
    '../students/mask_rcnn_r50_2x_coco.py',
    '../_base_/teachers/cascade_mask_rcnn_x101_dcn_coco.py',
    '_base_/fpn.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=5e-7)),
    ),
)
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
custom_imports = dict(imports=['mmkd_ext'])
