# FitNet on the last stage: a 1x1 convolution, then the mean squared error, with a weight of 100 as in the CRD code.
_base_ = 'taught.py'

model = dict(
    distiller=dict(
        student_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer3')),
        teacher_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer3')),
        connectors=dict(
            stage=dict(type='mmrazor.ConvModuleConnector', in_channel=64, out_channel=64, norm_cfg=dict(type='BN'))
        ),
        distill_losses=dict(
            loss_fitnet=dict(type='mmrazor.L2Loss', normalize=False, div_element=True, loss_weight=100.0)
        ),
        loss_forward_mappings=dict(
            loss_fitnet=dict(
                s_feature=dict(from_student=True, recorder='stage', connector='stage'),
                t_feature=dict(from_student=False, recorder='stage'),
            )
        ),
    )
)
