# ResNet-32x4 teaches ResNet-8x4 on CIFAR-100: both networks and the teacher's weights; a leaf says what is compared.
_base_ = '../students/resnet8x4_cifar100.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/../../../_base_/teachers/resnet32x4_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/resnet32x4.pth',
)
