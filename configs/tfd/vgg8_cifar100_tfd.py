# TFD: VGG-8 on CIFAR-100; its deep stages teach its shallow ones, and there is no teacher.
# Student: _base_/students/vgg8_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.1, a tenth from 150, 180 and 210; TFD grows from 1/20 in the first
#     epoch to 1 in the 20th.
# Settings: all pairs of the five stages; the released code has networks of three. It weighs 5e-3, the default of the
#     released code and the middle of what its first scripts try (1e-3, 5e-3, 1e-2).
# Published top-1 (authors' poster): student alone 70.36, Tf-FD 71.62; of TFD no tables were at hand.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['_base_/students/vgg8_cifar100.py', '_base_/stages/cifar_vgg.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SelfDistill',
    architecture=_base_.model,
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=_base_.stages,
        distill_losses=dict(loss_tfd=dict(type='TFDLoss', loss_weight=5e-3)),
        loss_forward_mappings=dict(loss_tfd=dict(features=_base_.features)),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_tfd', schedule='linear', begin=-1, end=19)]
