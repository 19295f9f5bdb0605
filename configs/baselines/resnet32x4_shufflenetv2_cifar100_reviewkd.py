# ReviewKD: ResNet-32x4 teaches ShuffleNetV2 on CIFAR-100.
# Source: Chen et al., "Distilling Knowledge via Knowledge Review", arXiv:2104.09044.
# Compared: the student's stages with the teacher's before their last ReLU, and the embeddings.
# Teacher: mdistiller's; SRC is resnet32x4_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet32x4.pth --arch resnet32x4
# Student: ../nd/_base_/students/shufflenetv2_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.02, a tenth from 150, 180 and 210, as ../nd has it; ReviewKD grows from
#     0 over 20.
# Settings: weight 8, as in ReviewKD's code.
# Published top-1 (ND's README): student alone 71.82, ReviewKD 77.78; teacher 79.42.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = [
    '../nd/_base_/pairs/resnet32x4_shufflenetv2_cifar100.py',
    '../nd/_base_/reviewkd/resnet32x4_shufflenetv2_cifar100.py',
]

model = dict(
    distiller=dict(
        _base_.reviewkd,
        distill_losses=dict(loss_kd=dict(type='HCLLoss', loss_weight=8.0)),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', end=20)]
