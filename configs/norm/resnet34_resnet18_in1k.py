# NORM: ResNet-34 teaches ResNet-18 on ImageNet.
_base_ = [
    '../students/norm/resnet18_in1k.py',
    '../_base_/teachers/resnet34_in1k.py',
    '_base_/norm.py',
    '_base_/stages_in1k.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=dict(
        _base_.model,
        neck=dict(type='mmkd_ext.NORMNeck', in_channels=512, teacher_channels=512),
        head=dict(
            _base_.model.head, loss=dict(_base_.classification, loss=dict(type='CrossEntropyLoss', loss_weight=1.0))
        ),
    ),
    **_base_.teacher,
    distiller=_base_.distiller,
)
