# WRN-40-2 teaches WRN-40-1 on CIFAR-100: both networks and the teacher's weights; a leaf says what is compared.
_base_ = '../students/wrn40_1_cifar100.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/../../../_base_/teachers/wrn40_2_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/wrn40_2.pth',
)
