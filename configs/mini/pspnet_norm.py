# The PSPNet of pspnet_student.py learns by NORM on the backbone's last stage; README.md says why it has no batch norms.
_base_ = 'pspnet_student.py'

neck = dict(type='mmkd_ext.NORMNeck', in_channels=64, teacher_channels=128, with_bn=False, pool=False)
model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=dict(_base_.model, neck=neck),
    teacher='{{fileDirname}}/pspnet_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/pspnet_teacher.pth',
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(wide=dict(type='ModuleOutputs', source='neck.expand')),
        teacher_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer3')),
        distill_losses=dict(loss_norm=dict(type='NORMLoss')),
        loss_forward_mappings=dict(
            loss_norm=dict(
                student=dict(from_student=True, recorder='wide'),
                teacher=dict(from_student=False, recorder='stage'),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
