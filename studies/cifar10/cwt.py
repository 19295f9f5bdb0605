# CWT on the last stage.
_base_ = 'taught.py'

model = dict(
    distiller=dict(
        student_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer3')),
        teacher_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer3')),
        connectors=dict(stage=dict(type='ChannelMLPConnector', in_channels=64, out_channels=64)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=7e-4)),
        loss_forward_mappings=dict(
            loss_cwt=dict(
                student=dict(from_student=True, recorder='stage', connector='stage'),
                teacher=dict(from_student=False, recorder='stage'),
            )
        ),
    )
)
