# WRN-16-2 on CIFAR-100 with NORM's transform and without a teacher: what the transform alone gains.
_base_ = '../students/norm/wrn16_2_cifar100.py'

model = dict(neck=dict(_delete_=True, type='mmkd_ext.NORMNeck', in_channels=128, teacher_channels=128))
