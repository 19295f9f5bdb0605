# What a method's weight is worth, over decades. One seed, on training images that no student saw.
# After ../cifar10: tools/study.py studies/cifar10_weights/study.py
part = 'held_out'
cross_entropy = 'model.architecture.head.loss.loss.loss_weight'
norm = 'model.distiller.distill_losses.loss_norm.loss_weight'
cwt = 'model.distiller.distill_losses.loss_cwt.alpha'
tfd = 'model.distiller.distill_losses.loss_tfd.loss_weight'
study = dict(
    seeds=1,
    options={'val_dataloader.dataset.data_prefix': part, 'test_dataloader.dataset.data_prefix': part},
    runs={
        'alone': '../cifar10/student.py',
        'NORM x 0.1': dict(config='../cifar10/norm.py', options={norm: 0.1}),
        'NORM x 1': '../cifar10/norm.py',
        'NORM x 10': dict(config='../cifar10/norm.py', options={norm: 10.0}),
        'NORM x 100': dict(config='../cifar10/norm.py', options={norm: 100.0}),
        'NORM, cross-entropy x 1.0': dict(config='../cifar10/norm.py', options={cross_entropy: 1.0}),
        'CWT, alpha 7e-6': dict(config='../cifar10/cwt.py', options={cwt: 7e-6}),
        'CWT, alpha 7e-5': dict(config='../cifar10/cwt.py', options={cwt: 7e-5}),
        'CWT, alpha 7e-4': '../cifar10/cwt.py',
        'CWT, alpha 7e-3': dict(config='../cifar10/cwt.py', options={cwt: 7e-3}),
        'CWT, alpha 7e-2': dict(config='../cifar10/cwt.py', options={cwt: 7e-2}),
        'TFD x 5e-3': '../cifar10/tfd.py',
        'TFD x 5e-2': dict(config='../cifar10/tfd.py', options={tfd: 5e-2}),
        'TFD x 5e-1': dict(config='../cifar10/tfd.py', options={tfd: 5e-1}),
    },
)
