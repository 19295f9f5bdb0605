# ResNet-8x4 on CIFAR-100 with NORM's transform and without a teacher: what the transform alone gains.
_base_ = '../students/norm/resnet8x4_cifar100.py'

model = dict(neck=dict(_delete_=True, type='mmkd_ext.NORMNeck', in_channels=256, teacher_channels=256))
