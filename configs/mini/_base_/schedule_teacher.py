# The same for teachers, which have many more images: one epoch.
_base_ = 'schedule_short.py'

train_cfg = dict(max_epochs=1, val_interval=1)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', T_max=1, by_epoch=True, convert_to_iter_based=True),
]
