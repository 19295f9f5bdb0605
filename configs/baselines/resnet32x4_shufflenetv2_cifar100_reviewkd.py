# ReviewKD: ResNet-32x4 teaches ShuffleNetV2 on CIFAR-100.
# Needs checkpoints/cifar100/resnet32x4.pth: see README.md.
_base_ = [
    '../students/nd/shufflenetv2_cifar100.py',
    '../_base_/teachers/resnet32x4_cifar100.py',
    '../_base_/wiring/reviewkd/resnet32x4_shufflenetv2_cifar100.py',
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
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_hcl', schedule='linear', end=20)]
