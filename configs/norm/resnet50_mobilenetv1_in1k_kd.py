# NORM+KD: ResNet-50 teaches MobileNetV1 on ImageNet.
_base_ = [
    '../students/norm/mobilenetv1_in1k.py',
    '../_base_/teachers/resnet50_in1k.py',
    '_base_/norm_kd.py',
    '_base_/stages_in1k.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=dict(
        _base_.model,
        neck=dict(type='mmkd_ext.NORMNeck', in_channels=1024, teacher_channels=2048, init_cfg=_base_.as_pytorch),
        head=dict(_base_.model.head, loss=_base_.classification),
    ),
    **_base_.teacher,
    distiller=_base_.distiller,
)
