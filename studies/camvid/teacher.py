# EfficientNet-Lite0 from ImageNet (studies/efficientnet_lite0.py) with a PSP head on its stages of strides 8, 16 and
# 32, trained on 244 street scenes that the student does not see.
# tools/train.py studies/camvid/teacher.py --work-dir work_dirs/camvid/teacher
_base_ = 'student.py'

epochs, steps = 12, 360
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.EfficientNet',
        arch='b0',
        act_cfg=dict(type='ReLU6'),
        out_indices=(3, 4, 5),
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/efficientnet_lite0.pth'),
    ),
    decode_head=dict(in_channels=[40, 112, 320], in_index=[0, 1, 2], input_transform='resize_concat'),
)
train_dataloader = dict(dataset=dict(data_prefix=dict(img_path='images/teacher', seg_map_path='labels/teacher')))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.2))))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', T_max=steps, by_epoch=False),
]
train_cfg = dict(max_epochs=epochs, val_begin=epochs + 1)
custom_imports = dict(imports=['mmkd_ext', 'mmpretrain.models'])
