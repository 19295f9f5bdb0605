# Tf-FD+KD: ResNet-110 teaches ResNet-20 on CIFAR-100, in addition to its own deep stages.
# Needs checkpoints/cifar100/resnet110.pth: see README.md.
_base_ = [
    '../students/tfd/resnet20_cifar100.py',
    '../_base_/teachers/resnet110_cifar100.py',
    '_base_/cifar_resnet.py',
    '_base_/kd.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        student_recorders=dict(_base_.distiller.student_recorders, logits=_base_.last_layer),
        teacher_recorders=dict(logits=_base_.last_layer),
        distill_losses=dict(
            loss_tfd=dict(type='TFDLoss', loss_weight=5e-3),
            loss_intra=dict(type='IntraTFDLoss', loss_weight=4e-4),
            loss_kd=dict(type='KDLoss', tau=4.0),
        ),
        loss_forward_mappings=dict(loss_tfd=_base_.features, loss_intra=_base_.features, loss_kd=_base_.logits),
    ),
)
custom_hooks = [
    dict(
        type='mmkd_ext.LossWeightHook', loss=['loss_tfd', 'loss_intra', 'loss_kd'], schedule='linear', begin=-1, end=19
    )
]
