# RetinaNet on the digit scenes: tools/study.py studies/digits_retinanet/study.py --jobs 1
mini = '../../configs/mini/'
study = dict(
    seeds=3,
    runs={
        'alone': mini + 'retinanet_student.py',
        'PKD': mini + 'retinanet_pkd.py',
        'KD': mini + 'retinanet_kd.py',
    },
    teachers=dict(
        teacher=dict(config=mini + 'retinanet_teacher.py', checkpoint='configs/mini/checkpoints/retinanet_teacher.pth')
    ),
)
