# Tf-FD+KD: tffd.py, and KD of a teacher's logits.
_base_ = 'tffd.py'

model = dict(
    type='mmkd_ext.SingleTeacherDistill',
    teacher='{{fileDirname}}/teacher.py',
    teacher_ckpt='{{fileDirname}}/teacher.pth',
    distiller=dict(
        student_recorders=dict(logits=dict(type='ModuleOutputs', source='head.fc')),
        teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='head.fc')),
        distill_losses=dict(loss_kd=dict(type='KDLoss', tau=4.0, loss_weight=1.0)),
        loss_forward_mappings=dict(
            loss_kd=dict(
                student=dict(from_student=True, recorder='logits'),
                teacher=dict(from_student=False, recorder='logits'),
            )
        ),
    ),
)
custom_hooks = [dict(_base_.warm_up, loss=['loss_tfd', 'loss_intra', 'loss_kd'])]
