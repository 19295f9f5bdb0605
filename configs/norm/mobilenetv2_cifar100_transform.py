# MobileNetV2 on CIFAR-100 with NORM's transform and without a teacher: what the transform alone gains.
_base_ = '../students/norm/mobilenetv2_cifar100.py'

model = dict(
    backbone=dict(final_relu=False),
    neck=dict(_delete_=True, type='mmkd_ext.NORMNeck', in_channels=1280, teacher_channels=1280),
)
