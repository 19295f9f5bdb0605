# ShuffleNetV2 on CIFAR-100 with NORM's transform and without a teacher: what the transform alone gains.
_base_ = ['../students/norm/shufflenetv2_cifar100.py', '_base_/as_pytorch.py']

model = dict(
    neck=dict(
        _delete_=True, type='mmkd_ext.NORMNeck', in_channels=1024, teacher_channels=1024, init_cfg=_base_.as_pytorch
    )
)
