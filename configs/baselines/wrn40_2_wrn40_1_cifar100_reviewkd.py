# ReviewKD: WRN-40-2 teaches WRN-40-1 on CIFAR-100.
# Needs checkpoints/cifar100/wrn40_2.pth: see README.md.
_base_ = [
    '../students/nd/wrn40_1_cifar100.py',
    '../_base_/teachers/wrn40_2_cifar100.py',
    '../_base_/wiring/reviewkd/wrn40_2_wrn40_1_cifar100.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        connectors=dict(abf=_base_.abf),
        distill_losses=dict(loss_hcl=dict(type='HCLLoss', loss_weight=5.0)),
        loss_forward_mappings=dict(loss_hcl=_base_.stages),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_hcl', schedule='linear', end=20)]
