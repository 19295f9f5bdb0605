# The methods of ../cifar10 on other images, with 100 classes; only data and teacher differ. See README.md for both.
#   tools/study.py studies/tiny_imagenet/study.py
data = 'data/tiny_imagenet_32'
teacher = {
    'model.architecture.head.num_classes': 100,
    'model.teacher': 'studies/tiny_imagenet/teacher.py',
    'model.teacher_ckpt': 'studies/tiny_imagenet/teacher.pth',
}
means = {'model.distiller.distill_losses.loss_nd.class_means': 'studies/tiny_imagenet/teacher_means.safetensors'}
norm = 'model.distiller.distill_losses.loss_norm.loss_weight'
study = dict(
    seeds=3,
    options={
        'data_preprocessor.num_classes': 100,
        'train_dataloader.dataset.dataset.data_root': data,
        'val_dataloader.dataset.data_root': data,
        'test_dataloader.dataset.data_root': data,
    },
    runs={
        'alone': dict(config='../cifar10/student.py', options={'model.head.num_classes': 100}),
        'KD': dict(config='../cifar10/kd.py', options=teacher),
        'KD++': dict(config='../cifar10/kd_nd.py', options={**teacher, **means}),
        'DKD': dict(config='../cifar10/dkd.py', options=teacher),
        'DKD++': dict(config='../cifar10/dkd_nd.py', options={**teacher, **means}),
        'DIST': dict(config='../cifar10/dist.py', options=teacher),
        'DIST++': dict(config='../cifar10/dist_nd.py', options={**teacher, **means}),
        'NORM x 10': dict(config='../cifar10/norm.py', options={**teacher, norm: 10.0}),
        'NORM x 10, KD': dict(config='../cifar10/norm_kd.py', options={**teacher, norm: 5.0}),
        'CWT': dict(config='../cifar10/cwt.py', options=teacher),
        'FitNet': dict(config='../cifar10/fitnet.py', options=teacher),
    },
    teachers=dict(teacher=dict(config='teacher.py', checkpoint='studies/tiny_imagenet/teacher.pth')),
    pairs=[
        ('KD++', 'KD'), ('DKD++', 'DKD'), ('DIST++', 'DIST'), ('DKD', 'KD'), ('DIST', 'KD'), ('NORM x 10', 'DIST'),
        ('NORM x 10, KD', 'NORM x 10'), ('NORM x 10, KD', 'DIST'), ('FitNet', 'CWT'),
    ],
)  # fmt: skip
