# ResNet-50 teaches MobileNetV1 on ImageNet: both networks and the teacher's weights; a leaf says what is compared.
_base_ = '../students/mobilenetv1_in1k.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='mmpretrain::resnet/resnet50_8xb32_in1k.py',
    teacher_ckpt='https://download.openmmlab.com/mmclassification/v0/resnet/resnet50_8xb32_in1k_20210831-ea4938fc.pth',
)
