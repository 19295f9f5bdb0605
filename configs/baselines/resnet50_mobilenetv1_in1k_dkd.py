# DKD: ResNet-50 teaches MobileNetV1 on ImageNet.
_base_ = ['../students/nd/mobilenetv1_in1k.py', '../_base_/teachers/resnet50_in1k.py', '../_base_/wiring/classifier.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_dkd=dict(type='DKDLoss', tau=1.0, alpha=1.0, beta=2.0)),
        loss_forward_mappings=dict(loss_dkd=_base_.logits_labels),
    ),
)
