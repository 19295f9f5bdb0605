# CIFAR-100 with the schedule of the NORM code, on one GPU. The authors report the best epoch.
_base_ = ['../../_base_/cifar100.py', 'mmpretrain::_base_/default_runtime.py']

train_dataloader = dict(batch_size=64)
optim_wrapper = dict(optimizer=dict(lr=0.05, nesterov=False))
# As released: epochs count from 0 to 240, and the learning rate falls after 150, 180 and 210.
param_scheduler = dict(milestones=[151, 181, 211])
train_cfg = dict(max_epochs=241)
auto_scale_lr = dict(base_batch_size=64)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2, save_best='auto'))
