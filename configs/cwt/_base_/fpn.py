# CWT of two-stage detectors: P2 to P5, the outputs of `neck.fpn_convs`, each through its own connector.
distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
    teacher_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
    connectors=dict(fpn=dict(type='ChannelMLPConnector', in_channels=256, out_channels=256, levels=4)),
    loss_forward_mappings=dict(
        loss_cwt=dict(
            student=dict(from_student=True, recorder='fpn', data_idx=[0, 1, 2, 3], connector='fpn'),
            teacher=dict(from_student=False, recorder='fpn', data_idx=[0, 1, 2, 3]),
        )
    ),
)
