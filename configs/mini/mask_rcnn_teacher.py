# The wide Faster R-CNN with a mask branch; it starts from the shipped Faster R-CNN and sees the teachers' scenes once.
# Its weights are shipped.
_base_ = ['_base_/faster_rcnn_wide.py', '_base_/digit_scenes_detection.py', '_base_/schedule_teacher.py']

model = dict(
    type='MaskRCNN',
    data_preprocessor=dict(pad_mask=True),
    roi_head=dict(
        mask_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=14, sampling_ratio=1),
            out_channels=64,
            featmap_strides=[4],
        ),
        mask_head=dict(
            type='FCNMaskHead',
            num_convs=2,
            in_channels=64,
            conv_out_channels=64,
            num_classes=10,
            loss_mask=dict(type='CrossEntropyLoss', use_mask=True, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(rcnn=dict(mask_size=28)),
    test_cfg=dict(rcnn=dict(mask_thr_binary=0.5)),
)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    dataset=dict(
        ann_file='annotations/instances_teacher.json',
        data_prefix=dict(img='images/teacher/'),
        pipeline=train_pipeline,
    )
)
val_evaluator = dict(metric=['bbox', 'segm'])
test_evaluator = val_evaluator
load_from = '{{fileDirname}}/checkpoints/faster_rcnn_teacher.pth'
