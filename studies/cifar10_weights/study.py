# The effect of a method's weight, in steps of ten. One seed, tested on training images that no student saw.
# After ../cifar10: tools/study.py studies/cifar10_weights/study.py
part = 'held_out'
cross_entropy = 'model.architecture.head.loss.loss.loss_weight'
norm = 'model.distiller.distill_losses.loss_norm.loss_weight'
cwt = 'model.distiller.distill_losses.loss_cwt.alpha'
tfd = 'model.distiller.distill_losses.loss_tfd.loss_weight'
kd = 'model.distiller.distill_losses.loss_kd.loss_weight'
nd = 'model.distiller.distill_losses.loss_nd.loss_weight'
dist = 'model.distiller.distill_losses.loss_dist.loss_weight'
fitnet = 'model.distiller.distill_losses.loss_fitnet.loss_weight'
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
        'TFD x 5e-3': '../cifar10/tfd.py',
        'TFD x 5e-2': dict(config='../cifar10/tfd.py', options={tfd: 5e-2}),
        'TFD x 5e-1': dict(config='../cifar10/tfd.py', options={tfd: 5e-1}),
        'KD x 1': '../cifar10/kd.py',
        'KD x 3': dict(config='../cifar10/kd.py', options={kd: 3.0}),
        'KD x 10': dict(config='../cifar10/kd.py', options={kd: 10.0}),
        'KD++, ND x 0.5': dict(config='../cifar10/kd_nd.py', options={nd: 0.5}),
        'KD++, ND x 2': '../cifar10/kd_nd.py',
        'KD++, ND x 8': dict(config='../cifar10/kd_nd.py', options={nd: 8.0}),
        'DIST x 2': '../cifar10/dist.py',
        'DIST x 8': dict(config='../cifar10/dist.py', options={dist: 8.0}),
        'FitNet x 10': dict(config='../cifar10/fitnet.py', options={fitnet: 10.0}),
        'FitNet x 100': '../cifar10/fitnet.py',
        'FitNet x 1000': dict(config='../cifar10/fitnet.py', options={fitnet: 1000.0}),
    },
)
