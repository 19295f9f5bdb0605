# DKD: WRN-40-2 teaches WRN-40-1 on CIFAR-100.
# Needs checkpoints/cifar100/wrn40_2.pth: see README.md.
_base_ = [
    '../students/nd/wrn40_1_cifar100.py',
    '../_base_/teachers/wrn40_2_cifar100.py',
    '../_base_/wiring/classifier.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_dkd=dict(type='DKDLoss', tau=4.0, alpha=1.0, beta=6.0)),
        loss_forward_mappings=dict(loss_dkd=_base_.logits_labels),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_dkd', schedule='linear', begin=-1, end=19)]
