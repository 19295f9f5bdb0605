# NORM: WRN-40-2 teaches WRN-16-2 on CIFAR-100.
# Needs checkpoints/cifar100/wrn40_2.pth: see README.md.
_base_ = [
    '../students/norm/wrn16_2_cifar100.py',
    '../_base_/teachers/wrn40_2_cifar100.py',
    '_base_/norm.py',
    '_base_/stages_cifar100.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=dict(
        _base_.model,
        neck=dict(type='mmkd_ext.NORMNeck', in_channels=128, teacher_channels=128),
        head=dict(_base_.model.head, loss=_base_.classification),
    ),
    **_base_.teacher,
    distiller=_base_.distiller,
)
