# FitNet: Faster R-CNN R101 teaches Faster R-CNN R50 on COCO; FPN levels through 1x1 convolutions, mean squared error.
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
            fpn=dict(type='mmrazor.ConvModuleConnector', in_channel=256, out_channel=256, act_cfg=None, levels=4)
        ),
        distill_losses=dict(loss_fitnet=dict(type='mmrazor.L2Loss', normalize=False, div_element=True)),
        loss_forward_mappings=dict(
            loss_fitnet=dict(
                s_feature=dict(from_student=True, recorder='fpn', data_idx=levels, connector='fpn'),
                t_feature=dict(from_student=False, recorder='fpn', data_idx=levels),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
