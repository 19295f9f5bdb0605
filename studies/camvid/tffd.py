# Tf-FD: TFD, and in each stage the salient channels teach the redundant ones.
_base_ = 'tfd.py'

model = dict(
    distiller=dict(
        distill_losses=dict(loss_intra=dict(type='IntraTFDLoss', loss_weight=4e-4)),
        loss_forward_mappings=dict(loss_intra=dict(features=_base_.features)),
    )
)
custom_hooks = [
    dict(
        type='mmkd_ext.LossWeightHook',
        loss=['loss_tfd', 'loss_intra'],
        schedule='linear',
        by_epoch=False,
        begin=-1,
        end=24,
    )
]
