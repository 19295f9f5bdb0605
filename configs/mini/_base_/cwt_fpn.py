# CWT on the three FPN levels: each student level through its own 1x1 conv, ReLU, 1x1 conv, then squared distance.
levels = [0, 1, 2]
distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
    teacher_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
    connectors=dict(fpn=dict(type='ChannelMLPConnector', in_channels=32, out_channels=64, levels=3)),
    distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=2e-5)),
    loss_forward_mappings=dict(
        loss_cwt=dict(
            student=dict(from_student=True, recorder='fpn', data_idx=levels, connector='fpn'),
            teacher=dict(from_student=False, recorder='fpn', data_idx=levels),
        )
    ),
)
