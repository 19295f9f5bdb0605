# ReviewKD++: Faster R-CNN R50 teaches Faster R-CNN MobileNetV2 on COCO; FPN levels, and each region's embedding.
# Needs work_dirs/class_means/faster_rcnn_r50_coco.safetensors: see README.md.
_base_ = [
    '../students/nd/faster_rcnn_mobilenetv2_coco.py',
    '../_base_/teachers/faster_rcnn_r50_3x_coco.py',
    '../_base_/wiring/regions.py',
    '../_base_/wiring/reviewkd/fpn.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.RoIDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        student_recorders=dict(_base_.distiller.student_recorders, fpn=_base_.fpn),
        teacher_recorders=dict(_base_.distiller.teacher_recorders, fpn=_base_.fpn),
        connectors=dict(abf=_base_.abf),
        distill_losses=dict(
            loss_hcl=dict(type='HCLLoss', loss_weight=2.2),
            loss_nd=dict(
                type='NDLoss', class_means='work_dirs/class_means/faster_rcnn_r50_coco.safetensors', loss_weight=1.5
            ),
        ),
        loss_forward_mappings=dict(loss_hcl=_base_.stages, loss_nd=_base_.embedding),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
