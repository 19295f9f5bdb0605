# CWD on the FPN levels, with the weight of configs/baselines.
_base_ = 'taught.py'

levels = [0, 1, 2, 3]
model = dict(
    distiller=dict(
        distill_losses=dict(loss_cwd=dict(type='mmrazor.ChannelWiseDivergence', tau=1.0, loss_weight=10.0)),
        loss_forward_mappings=dict(
            loss_cwd=dict(
                preds_S=dict(from_student=True, recorder='fpn', data_idx=levels),
                preds_T=dict(from_student=False, recorder='fpn', data_idx=levels),
            )
        ),
    )
)
