# ReviewKD: Faster R-CNN R101 teaches Faster R-CNN R50 on COCO; FPN levels.
_base_ = [
    '../students/nd/faster_rcnn_r50_coco.py',
    '../_base_/teachers/faster_rcnn_r101_3x_coco.py',
    '../_base_/wiring/reviewkd/fpn.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(fpn=_base_.fpn),
        teacher_recorders=dict(fpn=_base_.fpn),
        connectors=dict(abf=_base_.abf),
        distill_losses=dict(loss_hcl=dict(type='HCLLoss', loss_weight=1.0)),
        loss_forward_mappings=dict(loss_hcl=_base_.stages),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
