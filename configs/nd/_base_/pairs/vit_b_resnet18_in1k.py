# ViT-B teaches ResNet-18 on ImageNet: both networks and the teacher's weights; a leaf says what is compared.
_base_ = '../students/resnet18_in1k.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='mmpretrain::deit/deit-base_16xb64_in1k.py',
    teacher_ckpt='https://download.openmmlab.com/mmclassification/v0/deit/deit-base_3rdparty_pt-16xb64_in1k_20211124-6f40c188.pth',
)
