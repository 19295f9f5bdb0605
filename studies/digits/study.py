# The demo's detector: tools/dataset/digit_scenes.py makes the data, then tools/study.py studies/digits/study.py
mini = '../../configs/mini/'
study = dict(
    seeds=3,
    runs={
        'alone': mini + 'faster_rcnn_student.py',
        'CWT': mini + 'faster_rcnn_cwt.py',
        'KD': mini + 'faster_rcnn_kd.py',
        'KD, bfloat16 teacher': dict(config=mini + 'faster_rcnn_kd.py', options={'model.teacher_dtype': 'bfloat16'}),
        'KD++': mini + 'faster_rcnn_nd.py',
        'NORM': mini + 'faster_rcnn_norm.py',
    },
    teachers=dict(
        teacher=dict(
            config=mini + 'faster_rcnn_teacher.py', checkpoint='configs/mini/checkpoints/faster_rcnn_teacher.pth'
        )
    ),
    pairs=[('KD++', 'KD'), ('KD, bfloat16 teacher', 'KD')],
)
