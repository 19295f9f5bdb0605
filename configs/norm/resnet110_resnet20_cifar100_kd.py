# NORM+KD: ResNet-110 teaches ResNet-20 on CIFAR-100.
# Needs checkpoints/cifar100/resnet110.pth: see README.md.
_base_ = [
    '../students/norm/resnet20_cifar100.py',
    '../_base_/teachers/resnet110_cifar100.py',
    '_base_/norm_kd.py',
    '_base_/stages_cifar100.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=dict(
        _base_.model,
        neck=dict(type='mmkd_ext.NORMNeck', in_channels=64, teacher_channels=64),
        head=dict(_base_.model.head, loss=_base_.classification),
    ),
    **_base_.teacher,
    distiller=_base_.distiller,
)
