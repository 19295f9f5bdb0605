# CWT+KD: resnet_cwt.py, and KD on the logits.
_base_ = 'resnet_student.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/resnet_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/resnet_teacher.pth',
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(
            stage=dict(type='ModuleOutputs', source='backbone.layer4'),
            logits=dict(type='ModuleOutputs', source='head.fc'),
        ),
        teacher_recorders=dict(
            stage=dict(type='ModuleOutputs', source='backbone.layer4'),
            logits=dict(type='ModuleOutputs', source='head.fc'),
        ),
        connectors=dict(stage=dict(type='ChannelMLPConnector', in_channels=64, out_channels=128)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=7e-5), loss_kd=dict(type='KDLoss', tau=4.0)),
        loss_forward_mappings=dict(
            loss_cwt=dict(
                student=dict(from_student=True, recorder='stage', connector='stage'),
                teacher=dict(from_student=False, recorder='stage'),
            ),
            loss_kd=dict(
                student=dict(from_student=True, recorder='logits'),
                teacher=dict(from_student=False, recorder='logits'),
            ),
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
