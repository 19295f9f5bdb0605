# ResNet-34 teaches ResNet-18 on ImageNet: both networks and the teacher's weights; a leaf says what is compared.
_base_ = '../students/resnet18_in1k.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    # As released, the classifier starts as PyTorch's layers do; those of the other pairs are drawn anew.
    architecture=dict(_base_.model, head=dict(_base_.model.head, init_cfg=None)),
    teacher='mmpretrain::resnet/resnet34_8xb32_in1k.py',
    teacher_ckpt='https://download.openmmlab.com/mmclassification/v0/resnet/resnet34_8xb32_in1k_20210831-f257d4e6.pth',
)
