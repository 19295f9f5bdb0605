# ResNet-101 teaches ResNet-18 on ImageNet: both networks and the teacher's weights; a leaf says what is compared.
_base_ = '../students/resnet18_in1k.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='mmpretrain::resnet/resnet101_8xb32_in1k.py',
    teacher_ckpt='https://download.openmmlab.com/mmclassification/v0/resnet/resnet101_8xb32_in1k_20210831-539c63f8.pth',
)
