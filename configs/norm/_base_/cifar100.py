# CIFAR-100 with the schedule of the NORM code, on one GPU.
_base_ = '../../_base_/cifar100.py'

train_dataloader = dict(batch_size=64)
optim_wrapper = dict(optimizer=dict(lr=0.05, nesterov=False))
auto_scale_lr = dict(base_batch_size=64)
