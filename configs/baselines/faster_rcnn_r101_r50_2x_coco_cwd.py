# CWD: Faster R-CNN R101 teaches Faster R-CNN R50 on COCO; FPN levels, each channel a distribution over positions.
_base_ = [
    '../students/faster_rcnn_r50_2x_coco.py',
    '../_base_/teachers/faster_rcnn_r101_2x_coco.py',
    '../_base_/wiring/fpn.py',
]

levels = [0, 1, 2, 3, 4]
model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_cwd=dict(type='mmrazor.ChannelWiseDivergence', tau=1.0, loss_weight=10.0)),
        loss_forward_mappings=dict(
            loss_cwd=dict(
                preds_S=dict(from_student=True, recorder='fpn', data_idx=levels),
                preds_T=dict(from_student=False, recorder='fpn', data_idx=levels),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
