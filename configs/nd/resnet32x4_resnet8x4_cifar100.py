# KD++: ResNet-32x4 teaches ResNet-8x4 on CIFAR-100.
# Needs checkpoints/cifar100/resnet32x4.pth and work_dirs/class_means/resnet32x4_cifar100.safetensors: see README.md.
_base_ = [
    '../students/nd/resnet8x4_cifar100.py',
    '../_base_/teachers/resnet32x4_cifar100.py',
    '../_base_/wiring/classifier.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(
            loss_kd=dict(type='KDLoss', tau=4.0, loss_weight=3.5),
            loss_nd=dict(
                type='NDLoss', class_means='work_dirs/class_means/resnet32x4_cifar100.safetensors', loss_weight=2.0
            ),
        ),
        loss_forward_mappings=dict(loss_kd=_base_.logits, loss_nd=_base_.embedding),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', end=20)]
