# ImageNet with the schedule of MGD's code: 8 GPUs x 32 images, lr 0.1.
_base_ = '../../_base_/imagenet.py'

train_dataloader = dict(batch_size=32)
optim_wrapper = dict(optimizer=dict(lr=0.1, nesterov=False))
auto_scale_lr = dict(base_batch_size=256)
