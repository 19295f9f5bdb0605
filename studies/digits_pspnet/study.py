# PSPNet on the digit scenes: tools/study.py studies/digits_pspnet/study.py --jobs 1
mini = '../../configs/mini/'
study = dict(
    seeds=3,
    runs={
        'alone': mini + 'pspnet_student.py',
        'CWT': mini + 'pspnet_cwt.py',
        'NORM': mini + 'pspnet_norm.py',
        'TFD': mini + 'pspnet_tfd.py',
    },
    teachers=dict(
        teacher=dict(config=mini + 'pspnet_teacher.py', checkpoint='configs/mini/checkpoints/pspnet_teacher.pth')
    ),
)
