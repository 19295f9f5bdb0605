# The student's teacher: wider.
_base_ = [
    'mmseg::_base_/models/pspnet_r50-d8.py',
    '_base_/digit_scenes_segmentation.py',
    '_base_/schedule_short.py',
]

norm_cfg = dict(type='BN', requires_grad=True)
loss = dict(class_weight=[0.1] + 10 * [1.0])  # nine tenths of the pixels are background
model = dict(
    pretrained=None,
    data_preprocessor=dict(size_divisor=32),
    backbone=dict(depth=18, base_channels=32, stem_channels=32, norm_cfg=norm_cfg),
    decode_head=dict(in_channels=256, channels=64, num_classes=11, norm_cfg=norm_cfg, loss_decode=loss),
    auxiliary_head=dict(in_channels=128, channels=64, num_classes=11, norm_cfg=norm_cfg, loss_decode=loss),
)
# The last layer moves by the learning rate at most, whatever the gradient, and has few inputs.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10.0))))
