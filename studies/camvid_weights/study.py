# Which weight CWT needs in ../camvid. One seed, tested on the frames of the source's val, which no model has seen.
# After ../camvid: tools/study.py studies/camvid_weights/study.py --jobs 1
alpha = 'model.distiller.distill_losses.loss_cwt.alpha'
prefix = 'test_dataloader.dataset.data_prefix'
study = dict(
    seeds=1,
    options={f'{prefix}.img_path': 'images/held_out', f'{prefix}.seg_map_path': 'labels/held_out'},
    runs={
        'alone': '../camvid/student.py',
        'CWT x 2e-5': dict(config='../camvid/cwt.py', options={alpha: 2e-5}),
        'CWT x 3e-4': dict(config='../camvid/cwt.py', options={alpha: 3e-4}),
        'CWT x 3e-3': dict(config='../camvid/cwt.py', options={alpha: 3e-3}),
    },
)
