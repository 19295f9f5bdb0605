# The student's teacher: wider, trained on many more scenes, none of which the student sees. Its weights are shipped.
_base_ = ['_base_/retinanet_wide.py', '_base_/digit_scenes_detection.py', '_base_/schedule_teacher.py']

train_dataloader = dict(
    dataset=dict(ann_file='annotations/instances_teacher.json', data_prefix=dict(img='images/teacher/'))
)
train_cfg = dict(max_epochs=2)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', T_max=2, by_epoch=True, convert_to_iter_based=True),
]
