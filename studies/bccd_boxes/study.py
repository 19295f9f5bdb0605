# Why the boxes of the detector in ../bccd fit worse with KD. After ../bccd:
#   tools/study.py studies/bccd_boxes/study.py --jobs 1
head, kd = 'roi_head.bbox_head', 'model.distiller.distill_losses.loss_kd.loss_weight'
study = dict(
    seeds=3,
    metrics=['coco/bbox_mAP', 'coco/bbox_mAP_50', 'coco/bbox_mAP_75'],
    runs={
        'alone': '../bccd/student.py',
        'alone, classes x 2': dict(
            config='../bccd/student.py', options={f'model.{head}.loss_cls.loss_weight': 2.0}
        ),
        'alone, boxes x 2': dict(config='../bccd/student.py', options={f'model.{head}.loss_bbox.loss_weight': 2.0}),
        'alone, classes x 0.5': dict(
            config='../bccd/student.py', options={f'model.{head}.loss_cls.loss_weight': 0.5}
        ),
        'KD': '../bccd/kd.py',
        'KD x 0.25': dict(config='../bccd/kd.py', options={kd: 0.25}),
        'KD x 0.5, classes x 0.5': dict(
            config='../bccd/kd.py', options={kd: 0.5, f'model.architecture.{head}.loss_cls.loss_weight': 0.5}
        ),
        'KD, boxes x 2': dict(
            config='../bccd/kd.py', options={f'model.architecture.{head}.loss_bbox.loss_weight': 2.0}
        ),
    },
    teachers=dict(teacher=dict(config='../bccd/teacher.py', checkpoint='work_dirs/bccd/teacher/epoch_6.pth')),
    pairs=[
        ('KD x 0.5, classes x 0.5', 'alone, classes x 0.5'), ('KD, boxes x 2', 'alone, boxes x 2'),
        ('KD, boxes x 2', 'KD'), ('KD x 0.5, classes x 0.5', 'KD'),
    ],
)  # fmt: skip
