# ReviewKD: ResNet-34 teaches ResNet-18 on ImageNet.
# Source: Chen et al., "Distilling Knowledge via Knowledge Review", arXiv:2104.09044.
# Compared: what goes into each stage's last ReLU (a ResNet block runs one ReLU two or three times), and embeddings.
# Teacher: mmpretrain's weights (73.62); ND's are torchvision's (73.31).
# Student: ../nd/_base_/students/resnet18_in1k.py, which trains it alone.
# Schedule: 100 epochs of 8 x 64 images, lr 0.2, a tenth from 30, 60 and 90, as ../nd has it.
# Settings: weight 1, as in ReviewKD's code.
# Published top-1 (ND's README): student alone 69.76, ReviewKD 71.62; teacher 73.31.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['../nd/_base_/pairs/resnet34_resnet18_in1k.py', '../nd/_base_/reviewkd/resnet34_resnet18_in1k.py']

model = dict(
    distiller=dict(
        _base_.reviewkd,
        distill_losses=dict(loss_kd=dict(type='HCLLoss', loss_weight=1.0)),
    ),
)
