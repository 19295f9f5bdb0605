# CWT on the map that the last layer is given, the only one that both have at stride 8.
_base_ = 'taught.py'

features = dict(type='ModuleOutputs', source='decode_head.bottleneck')
model = dict(
    distiller=dict(
        student_recorders=dict(features=features),
        teacher_recorders=dict(features=features),
        connectors=dict(features=dict(type='ChannelMLPConnector', in_channels=32, out_channels=32)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=7e-3)),
        loss_forward_mappings=dict(
            loss_cwt=dict(
                student=dict(from_student=True, recorder='features', connector='features'),
                teacher=dict(from_student=False, recorder='features'),
            )
        ),
    )
)
