# ResNet-152 teaches ResNet-101 on ImageNet: both networks and the teacher's weights; a leaf says what is compared.
_base_ = '../students/resnet101_in1k.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='mmpretrain::resnet/resnet152_8xb32_in1k.py',
    teacher_ckpt='https://download.openmmlab.com/mmclassification/v0/resnet/resnet152_8xb32_in1k_20210901-4d7582fa.pth',
)
