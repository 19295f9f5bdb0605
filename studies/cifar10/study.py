# Every method of this package on real images: ResNet-20 -> ResNet-8, CIFAR-10 as JPEG.
#   python studies/cifar10/prepare.py --images DIR --weights FILE                      # see README.md
#   tools/train.py studies/cifar10/teacher.py --work-dir work_dirs/cifar10/teacher
#   tools/class_means.py studies/cifar10/kd_nd.py --out work_dirs/cifar10/teacher_means.safetensors
#   tools/study.py studies/cifar10/study.py
study = dict(
    seeds=5,
    runs={
        'alone': 'student.py',
        'KD': 'kd.py',
        'KD++': 'kd_nd.py',
        'DKD': 'dkd.py',
        'DKD++': 'dkd_nd.py',
        'DIST': 'dist.py',
        'DIST++': 'dist_nd.py',
        'ReviewKD': 'reviewkd.py',
        'ReviewKD++': 'reviewkd_nd.py',
        'NORM': 'norm.py',
        'NORM+KD': 'norm_kd.py',
        'NORM-transform': 'norm_transform.py',
        'CWT': 'cwt.py',
        'FitNet': 'fitnet.py',
        'TFD': 'tfd.py',
        'Tf-FD': 'tffd.py',
        'Tf-FD+KD': 'tffd_kd.py',
    },
    teachers=dict(teacher=dict(config='teacher.py', checkpoint='work_dirs/cifar10/teacher/epoch_3.pth')),
    pairs=[
        ('KD++', 'KD'), ('DKD++', 'DKD'), ('DIST++', 'DIST'), ('ReviewKD++', 'ReviewKD'), ('NORM+KD', 'KD'),
        ('NORM', 'NORM-transform'), ('Tf-FD+KD', 'KD'),
    ],
)  # fmt: skip
