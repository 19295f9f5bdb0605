# DKD: ResNet-56 teaches ResNet-20 on CIFAR-100.
# Source: Zhao et al., "Decoupled Knowledge Distillation", arXiv:2203.08679.
# Teacher: mdistiller's; SRC is resnet56_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet56.pth --arch resnet56
# Student: ../nd/_base_/students/resnet20_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.1, a tenth from 150, 180 and 210, as ../nd has it; DKD grows from 1/20
#     in the first epoch to 1 in the 20th.
# Settings: alpha 1, beta 2, temperature 4, as in mdistiller.
# Published top-1 (ND's README): student alone 69.06, DKD 71.97; teacher 72.34.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['../nd/_base_/pairs/resnet56_resnet20_cifar100.py', '../_base_/wiring/logits_labels.py']

model = dict(
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_kd=dict(type='DKDLoss', tau=4.0, alpha=1.0, beta=2.0)),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', begin=-1, end=19)]
