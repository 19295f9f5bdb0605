# DeiT-B for ImageNet alone, with the optimiser and the schedule of the ND code: 8 GPUs x 256 images.
_base_ = 'mmpretrain::deit/deit-base_16xb64_in1k.py'

train_dataloader = dict(batch_size=256)
optim_wrapper = dict(
    optimizer=dict(lr=1e-4 * 2048 / 256, betas=(0.9, 0.95), weight_decay=0.3),
    clip_grad=None,
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=True, end=20, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, begin=20, convert_to_iter_based=True),
]
auto_scale_lr = dict(enable=False, base_batch_size=2048)
custom_hooks = []  # mmpretrain averages the weights (EMA), the ND code does not
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2, save_best='auto'))
