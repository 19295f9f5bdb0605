# DeiT's RegNetY-16GF on ImageNet, a model of timm; configs/teachers/README.md says how its weights are made.
teacher = dict(
    teacher='{{fileDirname}}/../../teachers/regnety_16gf_in1k.py',
    teacher_ckpt='checkpoints/regnety_16gf_in1k.pth',
)
