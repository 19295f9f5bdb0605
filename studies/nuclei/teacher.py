# EfficientNet-Lite0 from ImageNet (studies/efficientnet_lite0.py) with a neck and heads like the student's, trained on
# 313 images that the student does not see.
# tools/train.py studies/nuclei/teacher.py --work-dir work_dirs/nuclei/teacher
_base_ = 'student.py'

epochs, steps = 4, 624
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.EfficientNet',
        arch='b0',
        act_cfg=dict(type='ReLU6'),
        out_indices=(2, 3, 4, 5),
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/efficientnet_lite0.pth'),
    ),
    neck=dict(in_channels=[24, 40, 112, 320]),
)
train_dataloader = dict(dataset=dict(ann_file='teacher.json', data_prefix=dict(img='teacher/')))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', T_max=steps, by_epoch=False),
]
train_cfg = dict(max_epochs=epochs, val_begin=epochs + 1)
custom_imports = dict(imports=['mmkd_ext', 'mmpretrain.models'])
