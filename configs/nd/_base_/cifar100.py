# CIFAR-100 with the schedule of the ND code. The authors report the best epoch, and so does mdistiller.
_base_ = ['../../_base_/cifar100.py', 'mmpretrain::_base_/default_runtime.py']

train_dataloader = dict(batch_size=128)  # in total: with 2 GPUs set 64, as the authors did
optim_wrapper = dict(optimizer=dict(lr=0.1, nesterov=True))
param_scheduler = dict(milestones=[150, 180, 210])
train_cfg = dict(max_epochs=240)
auto_scale_lr = dict(base_batch_size=128)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2, save_best='auto'))
