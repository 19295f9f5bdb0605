# CWT on the FPN levels. The loss is a sum over 174,000 values instead of the published pair's 23 million, so the
# published alpha of 5e-7 becomes 6.6e-5: each value counts as much as there.
_base_ = 'taught.py'

levels = [0, 1, 2, 3]
model = dict(
    distiller=dict(
        connectors=dict(fpn=dict(type='ChannelMLPConnector', in_channels=32, out_channels=32, levels=4)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=6.6e-5)),
        loss_forward_mappings=dict(
            loss_cwt=dict(
                student=dict(from_student=True, recorder='fpn', data_idx=levels, connector='fpn'),
                teacher=dict(from_student=False, recorder='fpn', data_idx=levels),
            )
        ),
    )
)
