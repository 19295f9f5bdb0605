# DKD: ResNet-32x4 teaches ResNet-8x4 on CIFAR-100.
# Source: Zhao et al., "Decoupled Knowledge Distillation", arXiv:2203.08679.
# Teacher: mdistiller's; SRC is resnet32x4_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet32x4.pth --arch resnet32x4
# Student: ../nd/_base_/students/resnet8x4_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.1, a tenth from 150, 180 and 210, as ../nd has it; DKD grows from 1/20
#     in the first epoch to 1 in the 20th.
# Settings: alpha 1, beta 8, temperature 4, as in mdistiller.
# Published top-1 (ND's README): student alone 72.50, DKD 75.44; teacher 79.42. The DKD paper gives 76.32.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['../nd/_base_/pairs/resnet32x4_resnet8x4_cifar100.py', '../_base_/wiring/logits_labels.py']

model = dict(
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_kd=dict(type='DKDLoss', tau=4.0, alpha=1.0, beta=8.0)),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', begin=-1, end=19)]
