# ResNet-50 teaches MobileNetV2 on CIFAR-100: both networks and the teacher's weights; a leaf says what is compared.
_base_ = '../students/mobilenetv2_cifar100.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/../../../_base_/teachers/resnet50_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/resnet50.pth',
)
