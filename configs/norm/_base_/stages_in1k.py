# The weight of NORM by epoch on ImageNet, as released.
custom_hooks = [
    dict(
        type='mmkd_ext.LossWeightHook',
        loss='loss_norm',
        schedule='table',
        milestones=[5, 15, 60, 80],
        factors=[0.1, 0.5, 0.9, 0.5, 0.1],
    )
]
