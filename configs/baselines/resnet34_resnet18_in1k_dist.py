# DIST: ResNet-34 teaches ResNet-18 on ImageNet.
# Source: Huang et al., "Knowledge Distillation from A Stronger Teacher", arXiv:2205.10536.
# Teacher: mmpretrain's weights (73.62); ND's are torchvision's (73.31).
# Student: ../nd/_base_/students/resnet18_in1k.py, which trains it alone.
# Schedule: 100 epochs of 8 x 64 images, lr 0.2, a tenth from 30, 60 and 90, as ../nd has it.
# Settings: beta and gamma 1, temperature 1, weight 2, as in DIST's code.
# Published top-1 (DIST's README): DIST 72.07.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['../nd/_base_/pairs/resnet34_resnet18_in1k.py', '../_base_/wiring/logits.py']

model = dict(
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_kd=dict(type='DISTLoss', tau=1.0, loss_weight=2.0)),
    ),
)
