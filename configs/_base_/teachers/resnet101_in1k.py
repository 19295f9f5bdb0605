# mmpretrain's ResNet-101 on ImageNet.
teacher = dict(
    teacher='mmpretrain::resnet/resnet101_8xb32_in1k.py',
    teacher_ckpt='https://download.openmmlab.com/mmclassification/v0/resnet/resnet101_8xb32_in1k_20210831-539c63f8.pth',
)
