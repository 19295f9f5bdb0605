# Is CWT's weight the reason that it loses in ../nuclei?
# After ../nuclei: tools/study.py studies/nuclei_weights/study.py --jobs 1
# One seed, on the teacher's images, which no student has seen.
alpha = 'model.distiller.distill_losses.loss_cwt.alpha'
data = 'test_dataloader.dataset'
study = dict(
    seeds=1,
    options={
        f'{data}.ann_file': 'teacher.json',
        f'{data}.data_prefix.img': 'teacher/',
        'test_evaluator.ann_file': 'data/nuclei/teacher.json',
    },
    runs={
        'alone': '../nuclei/student.py',
        'CWT x 6.6e-7': dict(config='../nuclei/cwt.py', options={alpha: 6.6e-7}),
        'CWT x 6.6e-6': dict(config='../nuclei/cwt.py', options={alpha: 6.6e-6}),
        'CWT x 6.6e-5': '../nuclei/cwt.py',
        'CWT x 6.6e-4': dict(config='../nuclei/cwt.py', options={alpha: 6.6e-4}),
    },
)
