# CWT: RetinaNet X101-64x4d teaches RetinaNet R50 on COCO; FPN levels; it starts with the teacher's neck and head.
_base_ = [
    '../students/retinanet_r50_2x_coco.py',
    '../_base_/teachers/retinanet_x101_coco.py',
    '_base_/fpn_one_stage.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    inherit=['neck', 'bbox_head'],
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=2e-5)),
    ),
)
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
custom_imports = dict(imports=['mmkd_ext'])
