# ImageNet with the schedule of the NORM code: 8 GPUs x 32 images. The authors report the best epoch.
_base_ = [
    '../../_base_/imagenet.py',
    'mmpretrain::_base_/datasets/imagenet_bs64.py',
    'mmpretrain::_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=32)
optim_wrapper = dict(optimizer=dict(lr=0.1, nesterov=False))
# The released loop runs one more epoch at a learning rate of 1e-8, which is left out.
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=True, T_max=100)
auto_scale_lr = dict(base_batch_size=256)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2, save_best='auto'))
