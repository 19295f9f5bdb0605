# PKD: FCOS R101 teaches FCOS R50 on COCO; FPN levels, channels normalised over images and positions.
_base_ = [
    '../students/fcos_r50_2x_coco.py',
    '../_base_/teachers/fcos_r101_2x_coco.py',
    '../_base_/wiring/fpn.py',
]

levels = [0, 1, 2, 3]
model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_pkd=dict(type='mmrazor.PKDLoss', loss_weight=10.0)),
        loss_forward_mappings=dict(
            loss_pkd=dict(
                preds_S=dict(from_student=True, recorder='fpn', data_idx=levels),
                preds_T=dict(from_student=False, recorder='fpn', data_idx=levels),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
