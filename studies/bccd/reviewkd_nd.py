# ReviewKD++: the FPN levels, fused by ABF, and nd.py; weights of configs/nd's Faster R-CNN R101 -> R18.
_base_ = 'nd.py'

levels = [0, 1, 2, 3]
model = dict(
    distiller=dict(
        connectors=dict(abf=dict(type='ABFConnector', in_channels=[32] * 4, out_channels=[32] * 4)),
        distill_losses=dict(loss_hcl=dict(type='HCLLoss', loss_weight=1.2)),
        loss_forward_mappings=dict(
            loss_hcl=dict(
                student=dict(from_student=True, recorder='fpn', data_idx=levels, connector='abf'),
                teacher=dict(from_student=False, recorder='fpn', data_idx=levels),
            )
        ),
    )
)
