# KD: ResNet-32x4 teaches ResNet-8x4 on CIFAR-100.
# Needs checkpoints/cifar100/resnet32x4.pth: see README.md.
_base_ = [
    '../students/nd/resnet8x4_cifar100.py',
    '../_base_/teachers/resnet32x4_cifar100.py',
    '../_base_/wiring/classifier.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=dict(_base_.model, head=dict(_base_.model.head, loss=dict(type='CrossEntropyLoss', loss_weight=0.1))),
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_kd=dict(type='KDLoss', tau=4.0, loss_weight=0.9)),
        loss_forward_mappings=dict(loss_kd=_base_.logits),
    ),
)
