# NORM, plain form (the transform has no shortcut): ResNet-32x4 teaches ShuffleNetV1 on CIFAR-100.
# Needs checkpoints/cifar100/resnet32x4.pth: see README.md.
_base_ = [
    '../students/norm/shufflenetv1_cifar100.py',
    '../_base_/teachers/resnet32x4_cifar100.py',
    '_base_/norm.py',
    '_base_/stages_cifar100.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=dict(
        _base_.model,
        neck=dict(
            type='mmkd_ext.NORMNeck', in_channels=960, teacher_channels=256, residual=False, init_cfg=_base_.as_pytorch
        ),
        head=dict(_base_.model.head, loss=_base_.classification),
    ),
    **_base_.teacher,
    distiller=_base_.distiller,
)
