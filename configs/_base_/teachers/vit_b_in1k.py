# mmpretrain's DeiT-B on ImageNet, a ViT-B/16 trained by DeiT's recipe.
teacher = dict(
    teacher='mmpretrain::deit/deit-base_16xb64_in1k.py',
    teacher_ckpt='https://download.openmmlab.com/mmclassification/v0/deit/deit-base_3rdparty_pt-16xb64_in1k_20211124-6f40c188.pth',
)
