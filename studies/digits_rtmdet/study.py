# RTMDet on the digit scenes: tools/study.py studies/digits_rtmdet/study.py --jobs 1
mini = '../../configs/mini/'
study = dict(
    seeds=3,
    runs={
        'alone': mini + 'rtmdet_student.py',
        'KD': mini + 'rtmdet_kd.py',
        'CWD': mini + 'rtmdet_cwd.py',
    },
    teachers=dict(
        teacher=dict(config=mini + 'rtmdet_teacher.py', checkpoint='configs/mini/checkpoints/rtmdet_teacher.pth')
    ),
)
