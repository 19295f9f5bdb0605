# DKD: Faster R-CNN R50 teaches Faster R-CNN MobileNetV2 on COCO; class logits of each region.
_base_ = [
    '../students/nd/faster_rcnn_mobilenetv2_coco.py',
    '../_base_/teachers/faster_rcnn_r50_3x_coco.py',
    '../_base_/wiring/regions.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.RoIDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_dkd=dict(type='DKDLoss', tau=1.0, alpha=1.0, beta=0.25)),
        loss_forward_mappings=dict(loss_dkd=_base_.logits_labels),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
