# Tf-FD: VGG-8 on CIFAR-100; TFD, and in each stage the salient channels teach the redundant ones.
# Student: _base_/students/vgg8_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.1, a tenth from 150, 180 and 210; both losses grow from 1/20 in the
#     first epoch to 1 in the 20th.
# Settings: all pairs of the five stages; the released code has networks of three. The weights are 5e-3 and 4e-4, the
#     defaults of the released code; the salient half is detached, as in its first version (the last detaches
#     neither).
# Published top-1 (authors' poster): student alone 70.36, Tf-FD 71.62.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = 'vgg8_cifar100_tfd.py'

model = dict(
    distiller=dict(
        distill_losses=dict(loss_intra=dict(type='IntraTFDLoss', loss_weight=4e-4)),
        loss_forward_mappings=dict(loss_intra=dict(features=_base_.features)),
    )
)
custom_hooks = [
    dict(type='mmkd_ext.LossWeightHook', loss=['loss_tfd', 'loss_intra'], schedule='linear', begin=-1, end=19)
]
