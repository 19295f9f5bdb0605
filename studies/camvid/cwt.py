# CWT on the input of the last layer, the only map that both models have at stride 8. Its weight was chosen on held-out
# frames, see ../camvid_weights: here the loss is a sum over 10,000 values, in the published pair over 17 million.
_base_ = 'taught.py'

features = dict(type='ModuleOutputs', source='decode_head.bottleneck')
model = dict(
    distiller=dict(
        student_recorders=dict(features=features),
        teacher_recorders=dict(features=features),
        connectors=dict(features=dict(type='ChannelMLPConnector', in_channels=32, out_channels=32)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=3e-4)),
        loss_forward_mappings=dict(
            loss_cwt=dict(
                student=dict(from_student=True, recorder='features', connector='features'),
                teacher=dict(from_student=False, recorder='features'),
            )
        ),
    )
)
