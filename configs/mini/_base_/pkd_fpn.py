# PKD on the three FPN levels, each student level through its own 1x1 convolution.
levels = [0, 1, 2]
distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
    teacher_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
    connectors=dict(fpn=dict(type='Conv1x1Connector', in_channels=32, out_channels=64, levels=3)),
    distill_losses=dict(loss_pkd=dict(type='mmrazor.PKDLoss', loss_weight=10.0)),
    loss_forward_mappings=dict(
        loss_pkd=dict(
            preds_S=dict(from_student=True, recorder='fpn', data_idx=levels, connector='fpn'),
            preds_T=dict(from_student=False, recorder='fpn', data_idx=levels),
        )
    ),
)
