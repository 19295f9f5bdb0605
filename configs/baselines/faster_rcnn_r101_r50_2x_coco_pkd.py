# PKD: Faster R-CNN R101 teaches Faster R-CNN R50 on COCO; FPN levels, channels normalised over images and positions.
_base_ = [
    '../students/faster_rcnn_r50_2x_coco.py',
    '../_base_/teachers/faster_rcnn_r101_2x_coco.py',
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
        distill_losses=dict(loss_pkd=dict(type='mmrazor.PKDLoss', loss_weight=6.0)),
        loss_forward_mappings=dict(
            loss_pkd=dict(
                preds_S=dict(from_student=True, recorder='fpn', data_idx=levels),
                preds_T=dict(from_student=False, recorder='fpn', data_idx=levels),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
