# The demo's detector, with 200 training scenes of its own for each seed; see README.md for the data.
#   tools/study.py studies/digits_scenes/study.py
mini = '../../configs/mini/'
study = dict(
    seeds=3,
    options={'train_dataloader.dataset.data_root': 'data/digit_scenes_{seed}/'},
    runs={
        'alone': mini + 'faster_rcnn_student.py',
        'CWT': mini + 'faster_rcnn_cwt.py',
        'KD': mini + 'faster_rcnn_kd.py',
        'KD++': mini + 'faster_rcnn_nd.py',
        'NORM': mini + 'faster_rcnn_norm.py',
    },
    pairs=[('KD++', 'KD')],
)
