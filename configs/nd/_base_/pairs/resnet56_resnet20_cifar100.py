# ResNet-56 teaches ResNet-20 on CIFAR-100: both networks and the teacher's weights; a leaf says what is compared.
_base_ = '../students/resnet20_cifar100.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/../../../_base_/teachers/resnet56_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/resnet56.pth',
)
