# DIST: WRN-40-2 teaches WRN-40-1 on CIFAR-100.
# Source: Huang et al., "Knowledge Distillation from A Stronger Teacher", arXiv:2205.10536.
# Teacher: mdistiller's; SRC is wrn_40_2_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/wrn40_2.pth --arch wrn_40_2
# Student: ../nd/_base_/students/wrn40_1_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.1, a tenth from 150, 180 and 210, as ../nd has it.
# Settings: beta and gamma 1, temperature 4, weight 2, as in DIST's code.
# Published top-1 (ND's README): student alone 71.98, DIST 74.42; teacher 75.61.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['../nd/_base_/pairs/wrn40_2_wrn40_1_cifar100.py', '../_base_/wiring/logits.py']

model = dict(
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_kd=dict(type='DISTLoss', tau=4.0, loss_weight=2.0)),
    ),
)
