# ImageNet with the schedule of MGD's code: 8 GPUs x 32 images, lr 0.1.
_base_ = [
    '../../_base_/imagenet.py',
    'mmpretrain::_base_/datasets/imagenet_bs64.py',
    'mmpretrain::_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=32)
optim_wrapper = dict(optimizer=dict(lr=0.1, nesterov=False))
param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[30, 60, 90], gamma=0.1)
auto_scale_lr = dict(base_batch_size=256)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2, save_best='auto'))
