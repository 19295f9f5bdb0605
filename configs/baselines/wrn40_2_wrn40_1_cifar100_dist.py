# DIST: WRN-40-2 teaches WRN-40-1 on CIFAR-100.
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
        distill_losses=dict(loss_dist=dict(type='DISTLoss', tau=4.0, loss_weight=2.0)),
        loss_forward_mappings=dict(loss_dist=_base_.logits),
    ),
)
