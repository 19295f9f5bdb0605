# Every method of this package on real images: ResNet-20 -> ResNet-8, CIFAR-10 as JPEG.
#   python studies/cifar10/prepare.py --images DIR --weights FILE                      # see README.md
#   tools/study.py studies/cifar10/study.py
# Rows with a factor have weights that were chosen in ../cifar10_weights; all others have the released ones.
norm = 'model.distiller.distill_losses.loss_norm.loss_weight'
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
        'NORM x 10': dict(config='norm.py', options={norm: 10.0}),
        'NORM x 10, KD': dict(config='norm_kd.py', options={norm: 5.0}),
        'CWT': 'cwt.py',
        'FitNet': 'fitnet.py',
        'TFD': 'tfd.py',
        'Tf-FD': 'tffd.py',
        'Tf-FD+KD': 'tffd_kd.py',
    },
    teachers=dict(teacher=dict(config='teacher.py', checkpoint='studies/cifar10/teacher.pth')),
    pairs=[
        ('KD++', 'KD'), ('DKD++', 'DKD'), ('DIST++', 'DIST'), ('ReviewKD++', 'ReviewKD'), ('NORM+KD', 'KD'),
        ('NORM', 'NORM-transform'),
        ('NORM x 10', 'NORM-transform'), ('NORM x 10, KD', 'NORM x 10'), ('Tf-FD+KD', 'KD'),
    ],
)  # fmt: skip
