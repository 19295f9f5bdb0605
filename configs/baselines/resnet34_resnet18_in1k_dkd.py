# DKD: ResNet-34 teaches ResNet-18 on ImageNet.
# Source: Zhao et al., "Decoupled Knowledge Distillation", arXiv:2203.08679.
# Teacher: mmpretrain's weights (73.62); ND's are torchvision's (73.31).
# Student: ../nd/_base_/students/resnet18_in1k.py, which trains it alone.
# Schedule: 100 epochs of 8 x 64 images, lr 0.2, a tenth from 30, 60 and 90, as ../nd has it.
# Settings: alpha 1, beta 0.5, temperature 1, as in mdistiller.
# Published top-1 (ND's README): student alone 69.76, DKD 71.70; teacher 73.31.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['../nd/_base_/pairs/resnet34_resnet18_in1k.py', '../_base_/wiring/logits_labels.py']

model = dict(
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_kd=dict(type='DKDLoss', tau=1.0, alpha=1.0, beta=0.5)),
    ),
)
