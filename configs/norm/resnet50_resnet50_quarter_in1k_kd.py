# NORM+KD: ResNet-50 teaches a quarter-width ResNet-50 on ImageNet.
_base_ = [
    '../students/norm/resnet50_quarter_in1k.py',
    '../_base_/teachers/resnet50_in1k.py',
    '_base_/norm_kd.py',
    '_base_/stages_in1k.py',
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
