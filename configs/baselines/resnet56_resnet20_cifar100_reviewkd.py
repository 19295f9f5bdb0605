# ReviewKD: ResNet-56 teaches ResNet-20 on CIFAR-100.
# Needs checkpoints/cifar100/resnet56.pth: see README.md.
_base_ = [
    '../students/nd/resnet20_cifar100.py',
    '../_base_/teachers/resnet56_cifar100.py',
    '../_base_/wiring/reviewkd/resnet56_resnet20_cifar100.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        connectors=dict(abf=_base_.abf),
        distill_losses=dict(loss_hcl=dict(type='HCLLoss', loss_weight=0.6)),
        loss_forward_mappings=dict(loss_hcl=_base_.stages),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_hcl', schedule='linear', end=20)]
