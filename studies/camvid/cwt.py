# CWT on the map that the last layer is given, the only one that both have at stride 8. The loss is
# a sum over 10,000 values in place of the published pair's 17 million, so that the published alpha of 2e-5 becomes
# 3e-2: each value counts as much.
_base_ = 'taught.py'

features = dict(type='ModuleOutputs', source='decode_head.bottleneck')
model = dict(
    distiller=dict(
        student_recorders=dict(features=features),
        teacher_recorders=dict(features=features),
        connectors=dict(features=dict(type='ChannelMLPConnector', in_channels=32, out_channels=32)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=3e-2)),
        loss_forward_mappings=dict(
            loss_cwt=dict(
                student=dict(from_student=True, recorder='features', connector='features'),
                teacher=dict(from_student=False, recorder='features'),
            )
        ),
    )
)
