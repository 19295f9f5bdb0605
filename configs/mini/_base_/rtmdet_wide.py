# The same, wider.
_base_ = 'rtmdet_narrow.py'

model = dict(
    backbone=dict(widen_factor=0.25),
    neck=dict(in_channels=[32, 64, 128], out_channels=64),
    bbox_head=dict(in_channels=64, feat_channels=64),
)
