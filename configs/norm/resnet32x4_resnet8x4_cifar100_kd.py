# NORM+KD: ResNet-32x4 teaches ResNet-8x4 on CIFAR-100.
# Needs checkpoints/cifar100/resnet32x4.pth: see README.md.
_base_ = [
    '../students/norm/resnet8x4_cifar100.py',
    '../_base_/teachers/resnet32x4_cifar100.py',
    '_base_/norm_kd.py',
    '_base_/stages_cifar100.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=dict(
        _base_.model,
        neck=dict(type='mmkd_ext.NORMNeck', in_channels=256, teacher_channels=256),
        head=dict(_base_.model.head, loss=_base_.classification),
    ),
    **_base_.teacher,
    distiller=_base_.distiller,
)
