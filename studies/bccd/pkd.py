# PKD on the FPN levels, with the weight of configs/baselines.
_base_ = 'taught.py'

levels = [0, 1, 2, 3]
model = dict(
    distiller=dict(
        distill_losses=dict(loss_pkd=dict(type='mmrazor.PKDLoss', loss_weight=6.0)),
        loss_forward_mappings=dict(
            loss_pkd=dict(
                preds_S=dict(from_student=True, recorder='fpn', data_idx=levels),
                preds_T=dict(from_student=False, recorder='fpn', data_idx=levels),
            )
        ),
    )
)
