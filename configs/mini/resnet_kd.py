# The ResNet of resnet_student.py learns logits from that of resnet_teacher.py.
_base_ = 'resnet_student.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/resnet_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/resnet_teacher.pth',
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(logits=dict(type='ModuleOutputs', source='head.fc')),
        teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='head.fc')),
        distill_losses=dict(loss_kd=dict(type='KDLoss', tau=4.0)),
        loss_forward_mappings=dict(
            loss_kd=dict(
                student=dict(from_student=True, recorder='logits'),
                teacher=dict(from_student=False, recorder='logits'),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
