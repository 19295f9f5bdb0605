# KD: ResNet-50 teaches MobileNetV2 on CIFAR-100.
# Source: Hinton et al., "Distilling the Knowledge in a Neural Network", arXiv:1503.02531.
# Teacher: mdistiller's; SRC is ResNet50_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet50.pth --arch ResNet50
# Student: ../nd/_base_/students/mobilenetv2_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.02, a tenth from 150, 180 and 210, as ../nd has it.
# Settings: cross-entropy weighs 0.1, KD 0.9 at temperature 4, as in mdistiller.
# Published top-1 (ND's README): student alone 64.60, KD 67.65; teacher 79.34. Mdistiller's code gives 67.35.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['../nd/_base_/pairs/resnet50_mobilenetv2_cifar100.py', '../_base_/wiring/logits.py']

model = dict(
    architecture=dict(head=dict(loss=dict(type='CrossEntropyLoss', loss_weight=0.1))),
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_kd=dict(type='KDLoss', tau=4.0, loss_weight=0.9)),
    ),
)
