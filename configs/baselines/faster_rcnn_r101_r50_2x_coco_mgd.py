# MGD: Faster R-CNN R101 teaches Faster R-CNN R50 on COCO; FPN levels, each restored from a masked one.
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
        connectors=dict(
            fpn=dict(type='mmrazor.MGDConnector', student_channels=256, teacher_channels=256, lambda_mgd=0.45, levels=4)
        ),
        distill_losses=dict(loss_mgd=dict(type='mmrazor.MGDLoss', alpha_mgd=5e-7)),
        loss_forward_mappings=dict(
            loss_mgd=dict(
                preds_S=dict(from_student=True, recorder='fpn', data_idx=levels, connector='fpn'),
                preds_T=dict(from_student=False, recorder='fpn', data_idx=levels),
            )
        ),
    ),
)
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
custom_imports = dict(imports=['mmkd_ext'])
