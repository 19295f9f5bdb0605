# A narrow RTMDet for 96x96 images, trained from scratch: three times as long as other detectors, since it is slow to
# tell classes apart.
_base_ = ['_base_/rtmdet_narrow.py', '_base_/digit_scenes_detection.py', '_base_/schedule_scenes.py']

train_cfg = dict(max_epochs=60, val_interval=20)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', T_max=60, by_epoch=True, convert_to_iter_based=True),
]
