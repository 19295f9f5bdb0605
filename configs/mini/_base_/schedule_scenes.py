# For the students' 200 scenes: 20 epochs of 25 steps.
_base_ = 'schedule_short.py'

train_cfg = dict(max_epochs=20, val_interval=10)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', T_max=20, by_epoch=True, convert_to_iter_based=True),
]
