# mmpretrain's ViT-B/16, trained by OpenAI's CLIP and then on ImageNet.
teacher = dict(
    teacher='mmpretrain::clip/vit-base-p16_pt-64xb64_in1k.py',
    teacher_ckpt='https://download.openmmlab.com/mmclassification/v0/clip/clip-vit-base-p16_openai-pre_3rdparty_in1k_20221220-c7d9c899.pth',
    teacher_size_divisor=16,
)
