# mmpretrain's DeiT-S on ImageNet, a ViT-S/16 trained by DeiT's recipe.
teacher = dict(
    teacher='mmpretrain::deit/deit-small_4xb256_in1k.py',
    teacher_ckpt='https://download.openmmlab.com/mmclassification/v0/deit/deit-small_pt-4xb256_in1k_20220218-9425b9bb.pth',
)
