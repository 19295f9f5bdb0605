# mmpretrain's MAE ViT-B/16 pre-trained on ImageNet for 1600 epochs without labels; here it sees whole images.
teacher = dict(
    teacher='mmpretrain::mae/mae_vit-base-p16_8xb512-amp-coslr-1600e_in1k.py',
    teacher_ckpt='https://download.openmmlab.com/mmselfsup/1.x/mae/mae_vit-base-p16_8xb512-fp16-coslr-1600e_in1k/mae_vit-base-p16_8xb512-fp16-coslr-1600e_in1k_20220825-f7569ca2.pth',
    teacher_size_divisor=16,
)
