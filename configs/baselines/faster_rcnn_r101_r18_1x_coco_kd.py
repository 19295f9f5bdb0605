# KD: Faster R-CNN R101 teaches Faster R-CNN R18 on COCO; class logits of each region.
_base_ = [
    '../students/nd/faster_rcnn_r18_coco.py',
    '../_base_/teachers/faster_rcnn_r101_3x_coco.py',
    '../_base_/wiring/regions.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.RoIDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_kd=dict(type='KDLoss', tau=1.0, loss_weight=1.0)),
        loss_forward_mappings=dict(loss_kd=_base_.logits),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
