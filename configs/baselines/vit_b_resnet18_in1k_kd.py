# KD: ViT-B teaches ResNet-18 on ImageNet.
# Source: Hinton et al., "Distilling the Knowledge in a Neural Network", arXiv:1503.02531.
# Teacher: mmpretrain's DeiT-B (81.79), a ViT-B/16 trained by DeiT's recipe. ND's is timm's ViT-B/16
#     (78.00), which mmpretrain has not.
# Student: ../nd/_base_/students/resnet18_in1k.py, which trains it alone.
# Schedule: 100 epochs of 8 x 64 images, lr 0.2, a tenth from 30, 60 and 90, as ../nd has it.
# Settings: cross-entropy weighs 0.5, KD 0.5 at temperature 1, as in mdistiller for ResNet-34 and ResNet-18; what this
#     pair's number was made with was not at hand.
# Published top-1 (ND's README): student alone 69.76, KD 71.63; teacher 78.00.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['../nd/_base_/pairs/vit_b_resnet18_in1k.py', '../_base_/wiring/logits.py']

model = dict(
    architecture=dict(head=dict(loss=dict(type='CrossEntropyLoss', loss_weight=0.5))),
    distiller=dict(
        _base_.distiller,
        teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='head.layers.head')),
        distill_losses=dict(loss_kd=dict(type='KDLoss', tau=1.0, loss_weight=0.5)),
    ),
)
