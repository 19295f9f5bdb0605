# A narrow ResNet-18 on single digits: tools/dataset/digit_scenes.py makes the data, then
#   tools/study.py studies/digits_resnet/study.py
mini = '../../configs/mini/'
kd = 'model.distiller.distill_losses.loss_kd'
study = dict(
    seeds=3,
    runs={
        'alone': mini + 'resnet_student.py',
        'KD': mini + 'resnet_kd.py',
        'KD, temperature 1': dict(config=mini + 'resnet_kd.py', options={f'{kd}.tau': 1.0}),
        'KD x 0.1': dict(config=mini + 'resnet_kd.py', options={f'{kd}.loss_weight': 0.1}),
        'KD++': mini + 'resnet_nd.py',
        'NORM-transform': mini + 'resnet_norm_alone.py',
        'NORM': mini + 'resnet_norm.py',
        'NORM+KD': mini + 'resnet_norm_kd.py',
        'CWT': mini + 'resnet_cwt.py',
        'CWT+KD': mini + 'resnet_cwt_kd.py',
        'TFD': mini + 'resnet_tfd.py',
        'Tf-FD': mini + 'resnet_tffd.py',
    },
    teachers=dict(
        teacher=dict(config=mini + 'resnet_teacher.py', checkpoint='configs/mini/checkpoints/resnet_teacher.pth')
    ),
    pairs=[('KD++', 'KD'), ('NORM', 'NORM-transform'), ('NORM+KD', 'KD'), ('CWT+KD', 'KD'), ('Tf-FD', 'TFD')],
)
