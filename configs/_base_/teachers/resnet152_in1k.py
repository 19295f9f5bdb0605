# mmpretrain's ResNet-152 on ImageNet.
teacher = dict(
    teacher='mmpretrain::resnet/resnet152_8xb32_in1k.py',
    teacher_ckpt='https://download.openmmlab.com/mmclassification/v0/resnet/resnet152_8xb32_in1k_20210901-4d7582fa.pth',
)
