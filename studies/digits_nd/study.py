# What ND adds to KD on the demo's detector, part by part: tools/study.py studies/digits_nd/study.py
mini = '../../configs/mini/'
nd = 'model.distiller.distill_losses.loss_nd'
study = dict(
    seeds=3,
    runs={
        'KD': mini + 'faster_rcnn_kd.py',
        'KD++': mini + 'faster_rcnn_nd.py',
        'KD++, x 0.3': dict(config=mini + 'faster_rcnn_nd.py', options={f'{nd}.loss_weight': 0.3}),
        'KD++, x 0.1': dict(config=mini + 'faster_rcnn_nd.py', options={f'{nd}.loss_weight': 0.1}),
        'KD + norm': dict(config=mini + 'faster_rcnn_nd.py', options={f'{nd}.terms': 'norm'}),
        'KD + direction': dict(config=mini + 'faster_rcnn_nd.py', options={f'{nd}.terms': 'direction'}),
        'KD++ without background': dict(config=mini + 'faster_rcnn_nd.py', options={f'{nd}.ignore_label': 10}),
    },
    teachers=dict(
        teacher=dict(
            config=mini + 'faster_rcnn_teacher.py', checkpoint='configs/mini/checkpoints/faster_rcnn_teacher.pth'
        )
    ),
)
