# ReviewKD: ResNet-56 teaches ResNet-20 on CIFAR-100.
# Source: Chen et al., "Distilling Knowledge via Knowledge Review", arXiv:2104.09044.
# Compared: the student's stages with the teacher's before their last ReLU, and the embeddings.
# Teacher: mdistiller's; SRC is resnet56_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet56.pth --arch resnet56
# Student: ../nd/_base_/students/resnet20_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.1, a tenth from 150, 180 and 210, as ../nd has it; ReviewKD grows from
#     0 over 20.
# Settings: weight 0.6, as in ReviewKD's code.
# Published top-1 (ND's README): student alone 69.06, ReviewKD 71.89; teacher 72.34.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['../nd/_base_/pairs/resnet56_resnet20_cifar100.py', '../nd/_base_/reviewkd/resnet56_resnet20_cifar100.py']

model = dict(
    distiller=dict(
        _base_.reviewkd,
        distill_losses=dict(loss_kd=dict(type='HCLLoss', loss_weight=0.6)),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', end=20)]
