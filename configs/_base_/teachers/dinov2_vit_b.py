# mmpretrain's DINOv2 ViT-B/14, without a head; it needs images whose sides are multiples of 14.
teacher = dict(
    teacher='mmpretrain::dinov2/vit-base-p14_dinov2-pre_headless.py',
    teacher_ckpt='https://download.openmmlab.com/mmpretrain/v1.0/dinov2/vit-base-p14_dinov2-pre_3rdparty_20230426-ba246503.pth',
    teacher_size_divisor=14,
)
