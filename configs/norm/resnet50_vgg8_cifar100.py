# NORM: ResNet-50 teaches VGG-8 on CIFAR-100.
# Needs checkpoints/cifar100/resnet50.pth: see README.md.
_base_ = [
    '../students/norm/vgg8_cifar100.py',
    '../_base_/teachers/resnet50_cifar100.py',
    '_base_/norm.py',
    '_base_/stages_cifar100.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=dict(
        _base_.model,
        neck=dict(type='mmkd_ext.NORMNeck', in_channels=512, teacher_channels=2048),
        head=dict(_base_.model.head, loss=_base_.classification),
    ),
    **_base_.teacher,
    distiller=_base_.distiller,
)
