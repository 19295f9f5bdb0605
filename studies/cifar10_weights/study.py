# Where a method of ../cifar10 gains little, is it the weight? One seed, on training images that no student saw.
# After ../cifar10: tools/study.py studies/cifar10_weights/study.py
part = 'held_out'
norm = 'model.architecture.head.loss.loss.loss_weight'
study = dict(
    seeds=1,
    options={'val_dataloader.dataset.data_prefix': part, 'test_dataloader.dataset.data_prefix': part},
    runs={
        'alone': '../cifar10/student.py',
        'NORM, cross-entropy x 0.125': '../cifar10/norm.py',
        'NORM, cross-entropy x 0.5': dict(config='../cifar10/norm.py', options={norm: 0.5}),
        'NORM, cross-entropy x 1.0': dict(config='../cifar10/norm.py', options={norm: 1.0}),
        'TFD x 5e-3': '../cifar10/tfd.py',
        'TFD x 5e-2': dict(
            config='../cifar10/tfd.py', options={'model.distiller.distill_losses.loss_tfd.loss_weight': 5e-2}
        ),
        'TFD x 5e-1': dict(
            config='../cifar10/tfd.py', options={'model.distiller.distill_losses.loss_tfd.loss_weight': 5e-1}
        ),
    },
)
