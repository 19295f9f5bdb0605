# NORM, plain form (the transform has no shortcut): ResNet-56 teaches ResNet-20 on CIFAR-100.
# Needs checkpoints/cifar100/resnet56.pth: see README.md.
_base_ = [
    '../students/norm/resnet20_cifar100.py',
    '../_base_/teachers/resnet56_cifar100.py',
    '_base_/norm.py',
    '_base_/stages_cifar100.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=dict(
        _base_.model,
        neck=dict(type='mmkd_ext.NORMNeck', in_channels=64, teacher_channels=64, residual=False),
        head=dict(_base_.model.head, loss=_base_.classification),
    ),
    **_base_.teacher,
    distiller=_base_.distiller,
)
