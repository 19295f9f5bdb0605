# ImageNet with the schedule of the NORM code: 8 GPUs x 32 images.
_base_ = '../../_base_/imagenet.py'

train_dataloader = dict(batch_size=32)
optim_wrapper = dict(optimizer=dict(lr=0.1, nesterov=False))
# The released loop runs one epoch more, at a rate of 1e-8, which is left out.
param_scheduler = dict(_delete_=True, type='CosineAnnealingLR', by_epoch=True, T_max=100)
auto_scale_lr = dict(base_batch_size=256)
