# DIST: ResNet-32x4 teaches ResNet-8x4 on CIFAR-100.
# Source: Huang et al., "Knowledge Distillation from A Stronger Teacher", arXiv:2205.10536.
# Teacher: mdistiller's; SRC is resnet32x4_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet32x4.pth --arch resnet32x4
# Student: ../nd/_base_/students/resnet8x4_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.1, a tenth from 150, 180 and 210, as ../nd has it.
# Settings: beta and gamma 1, temperature 4, weight 2, as in DIST's code.
# Published top-1 (ND's README): student alone 72.50, DIST 75.79; teacher 79.42. DIST's README gives 76.31.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['../nd/_base_/pairs/resnet32x4_resnet8x4_cifar100.py', '../_base_/wiring/logits.py']

model = dict(
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_kd=dict(type='DISTLoss', tau=4.0, loss_weight=2.0)),
    ),
)
