# The PSPNet of pspnet_student.py learns by CWT on the backbone's last stage.
_base_ = 'pspnet_student.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/pspnet_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/pspnet_teacher.pth',
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer3')),
        teacher_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer3')),
        connectors=dict(stage=dict(type='ChannelMLPConnector', in_channels=64, out_channels=128)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=2e-5)),
        loss_forward_mappings=dict(
            loss_cwt=dict(
                student=dict(from_student=True, recorder='stage', connector='stage'),
                teacher=dict(from_student=False, recorder='stage'),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
