# The same, and NORM's loss on the transform. The released form is ../cifar10/norm_kd.py: logits are normalised, and cross-
# entropy, KD and NORM weigh one half each.
_base_ = 'transform_kd.py'

model = dict(
    distiller=dict(
        student_recorders=dict(wide=dict(type='ModuleOutputs', source='neck.expand')),
        teacher_recorders=dict(maps=dict(type='ModuleOutputs', source='backbone.layer3')),
        distill_losses=dict(loss_norm=dict(type='NORMLoss')),
        loss_forward_mappings=dict(
            loss_norm=dict(
                student=dict(from_student=True, recorder='wide'),
                teacher=dict(from_student=False, recorder='maps'),
            )
        ),
    )
)
