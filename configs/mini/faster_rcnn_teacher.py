# The student's teacher: wider, and trained for longer.
_base_ = 'faster_rcnn_student.py'

model = dict(
    backbone=dict(base_channels=24),
    neck=dict(in_channels=[24, 48, 96, 192], out_channels=64),
    rpn_head=dict(in_channels=64, feat_channels=64),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64),
        bbox_head=dict(in_channels=64, fc_out_channels=256),
    ),
)
train_cfg = dict(max_epochs=30, val_interval=5)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', T_max=30, by_epoch=True, convert_to_iter_based=True),
]
