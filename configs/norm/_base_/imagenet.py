# ImageNet with the schedule of the NORM code: 8 GPUs x 32 images.
_base_ = '../../_base_/imagenet.py'

train_dataloader = dict(batch_size=32)
optim_wrapper = dict(optimizer=dict(lr=0.1, nesterov=False))
param_scheduler = dict(_delete_=True, type='CosineAnnealingLR', by_epoch=True, T_max=100)
auto_scale_lr = dict(base_batch_size=256)
default_hooks = dict(checkpoint=dict(save_best='auto'))  # the authors report the best epoch
