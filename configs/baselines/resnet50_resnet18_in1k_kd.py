# KD: ResNet-50 teaches ResNet-18 on ImageNet.
_base_ = ['../students/nd/resnet18_in1k.py', '../_base_/teachers/resnet50_in1k.py', '../_base_/wiring/classifier.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=dict(_base_.model, head=dict(_base_.model.head, loss=dict(type='CrossEntropyLoss', loss_weight=0.5))),
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_kd=dict(type='KDLoss', tau=1.0, loss_weight=0.5)),
        loss_forward_mappings=dict(loss_kd=_base_.logits),
    ),
)
