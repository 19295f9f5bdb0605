# CIFAR-100 with the schedule of the Tf-FD code. Its runs start from one saved initialisation with seed 2; here a run's
# own seed decides.
_base_ = ['../../_base_/cifar100.py', 'mmpretrain::_base_/default_runtime.py']

train_dataloader = dict(
    batch_size=128,
    dataset=dict(
        pipeline=[
            dict(type='RandomCrop', crop_size=32, padding=4, padding_mode='reflect'),
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            dict(type='PackInputs'),
        ]
    ),
)
optim_wrapper = dict(optimizer=dict(lr=0.1, nesterov=True))
param_scheduler = dict(milestones=[150, 180, 210])
train_cfg = dict(max_epochs=240)
auto_scale_lr = dict(base_batch_size=128)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2, save_best='auto'))
