# ReviewKD: ResNet-50 teaches MobileNetV1 on ImageNet.
_base_ = [
    '../students/nd/mobilenetv1_in1k.py',
    '../_base_/teachers/resnet50_in1k.py',
    '../_base_/wiring/reviewkd/resnet50_mobilenetv1_in1k.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        connectors=dict(abf=_base_.abf),
        distill_losses=dict(loss_hcl=dict(type='HCLLoss', loss_weight=8.0)),
        loss_forward_mappings=dict(loss_hcl=_base_.stages),
    ),
)
