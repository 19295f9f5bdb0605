# MGD: PSPNet R101-D8 teaches PSPNet R18-D8 on Cityscapes; last stage, restored from a masked one.
_base_ = ['../students/pspnet_r18_80k_cityscapes.py', '../_base_/teachers/pspnet_r101_80k_cityscapes.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer4')),
        teacher_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer4')),
        connectors=dict(
            stage=dict(type='mmrazor.MGDConnector', student_channels=512, teacher_channels=2048, lambda_mgd=0.75)
        ),
        distill_losses=dict(loss_mgd=dict(type='mmrazor.MGDLoss', alpha_mgd=2e-5)),
        loss_forward_mappings=dict(
            loss_mgd=dict(
                preds_S=dict(from_student=True, recorder='stage', connector='stage'),
                preds_T=dict(from_student=False, recorder='stage'),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
