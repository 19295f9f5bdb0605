# Faster R-CNN on blood cells: EfficientNet-Lite0 teaches a narrow ResNet-18. See README.md for data, teacher and means.
#   tools/study.py studies/bccd/study.py --jobs 1
study = dict(
    seeds=3,
    runs={
        'alone': 'student.py',
        'CWT': 'cwt.py',
        'KD': 'kd.py',
        'KD++': 'kd_nd.py',
        'CWD': 'cwd.py',
        'PKD': 'pkd.py',
        'ReviewKD++': 'reviewkd_nd.py',
    },
    teachers=dict(teacher=dict(config='teacher.py', checkpoint='work_dirs/bccd/teacher/epoch_6.pth')),
    pairs=[('KD++', 'KD')],
    metrics=['coco/bbox_mAP', 'coco/bbox_mAP_50', 'coco/bbox_mAP_75'],
)
