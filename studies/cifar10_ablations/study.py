# How much each part of a method contributes, and the teacher, in the setting of ../cifar10.
# After ../cifar10: tools/study.py studies/cifar10_ablations/study.py
neck = 'model.architecture.neck'
norm = 'model.distiller.distill_losses.loss_norm.loss_weight'
ten = {norm: 10.0}  # see ../cifar10_weights
nd = 'model.distiller.distill_losses.loss_nd.terms'
connector = 'model.distiller.connectors.stage'
tfd = 'model.distiller.distill_losses.loss_tfd.pairs'
published, scratch = 'work_dirs/cifar10/resnet20_published.pth', 'work_dirs/cifar10/resnet20_scratch/epoch_2.pth'
study = dict(
    seeds=2,
    runs={
        'alone': '../cifar10/student.py',
        'NORM, 8 segments': dict(config='../cifar10/norm.py', options=ten),
        'NORM, 4 segments': dict(config='../cifar10/norm.py', options={**ten, f'{neck}.num_segments': 4}),
        'NORM, 2 segments': dict(config='../cifar10/norm.py', options={**ten, f'{neck}.num_segments': 2}),
        'NORM, 1 segment': dict(config='../cifar10/norm.py', options={**ten, f'{neck}.num_segments': 1}),
        'NORM, 1 segment x 8': dict(
            config='../cifar10/norm.py', options={norm: 80.0, f'{neck}.num_segments': 1}
        ),
        'NORM, no residual': dict(config='../cifar10/norm.py', options={**ten, f'{neck}.residual': False}),
        'KD': '../cifar10/kd.py',
        'KD + norm': dict(config='../cifar10/kd_nd.py', options={nd: 'norm'}),
        'KD + direction': dict(config='../cifar10/kd_nd.py', options={nd: 'direction'}),
        'KD++': '../cifar10/kd_nd.py',
        'KD, transform': 'transform_kd.py',
        'KD, transform and NORM': 'norm_plain_kd.py',
        'NORM+KD as released': '../cifar10/norm_kd.py',
        'CWT': '../cifar10/cwt.py',
        'CWT, one convolution': dict(
            config='../cifar10/cwt.py', options={f'{connector}.type': 'Conv1x1Connector'}
        ),
        'FitNet': '../cifar10/fitnet.py',
        'FitNet, no batch norm': dict(config='../cifar10/fitnet.py', options={f'{connector}.norm_cfg': None}),
        "FitNet, CWT's transform": 'fitnet_mlp.py',
        'TFD': '../cifar10/tfd.py',
        'TFD, neighbours': dict(config='../cifar10/tfd.py', options={tfd: [[0, 1], [1, 2]]}),
        'TFD, first and last': dict(config='../cifar10/tfd.py', options={tfd: [[0, 2]]}),
        'KD, published teacher': dict(config='../cifar10/kd.py', options={'model.teacher_ckpt': published}),
        'KD, weak teacher': dict(config='../cifar10/kd.py', options={'model.teacher_ckpt': scratch}),
    },
    teachers={
        'teacher': dict(config='../cifar10/teacher.py', checkpoint='studies/cifar10/teacher.pth'),
        'published teacher': dict(config='../cifar10/teacher.py', checkpoint=published),
        'weak teacher': dict(config='../cifar10/teacher.py', checkpoint=scratch),
    },
    pairs=[
        ('NORM, 4 segments', 'NORM, 8 segments'), ('NORM, 2 segments', 'NORM, 8 segments'),
        ('NORM, 1 segment', 'NORM, 8 segments'),
        ('NORM, 1 segment x 8', 'NORM, 8 segments'), ('NORM, no residual', 'NORM, 8 segments'), ('KD + norm', 'KD'),
        ('KD, transform', 'KD'), ('KD, transform and NORM', 'KD, transform'), ('NORM+KD as released', 'KD'),
        ('KD + direction', 'KD'), ('KD++', 'KD'), ('CWT', 'CWT, one convolution'),
        ('FitNet, no batch norm', 'FitNet'), ("FitNet, CWT's transform", 'FitNet'), ('KD, published teacher', 'KD'),
        ('KD, weak teacher', 'KD'),
    ],
)  # fmt: skip
