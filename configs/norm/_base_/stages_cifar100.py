# The weight of NORM by epoch on CIFAR-100, as released.
custom_hooks = [
    dict(
        type='mmkd_ext.LossWeightHook',
        loss='loss_norm',
        schedule='table',
        milestones=[10, 20, 180, 210],
        factors=[0.1, 0.5, 1.0, 0.5, 0.1],
    )
]
