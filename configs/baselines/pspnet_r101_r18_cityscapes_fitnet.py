# FitNet: PSPNet R101-D8 teaches PSPNet R18-D8 on Cityscapes; last stage through a 1x1 convolution, mean squared error.
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
        connectors=dict(stage=dict(type='mmrazor.ConvModuleConnector', in_channel=512, out_channel=2048, act_cfg=None)),
        distill_losses=dict(loss_fitnet=dict(type='mmrazor.L2Loss', normalize=False, div_element=True)),
        loss_forward_mappings=dict(
            loss_fitnet=dict(
                s_feature=dict(from_student=True, recorder='stage', connector='stage'),
                t_feature=dict(from_student=False, recorder='stage'),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
