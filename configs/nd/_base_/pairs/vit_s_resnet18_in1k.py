# ViT-S teaches ResNet-18 on ImageNet: both networks and the teacher's weights; a leaf says what is compared.
_base_ = '../students/resnet18_in1k.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='mmpretrain::deit/deit-small_4xb256_in1k.py',
    teacher_ckpt='https://download.openmmlab.com/mmclassification/v0/deit/deit-small_pt-4xb256_in1k_20220218-9425b9bb.pth',
)
