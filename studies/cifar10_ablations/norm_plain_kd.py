# transform_kd.py, and NORM's loss on the transform. In the released form, ../cifar10/norm_kd.py, logits are normalised,
# and cross-entropy, KD and NORM have a weight of one half each.
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
total = _base_.epochs * _base_.steps
stages = dict(
    type='mmkd_ext.LossWeightHook',
    loss='loss_norm',
    schedule='table',
    by_epoch=False,
    milestones=[total * epoch // 240 for epoch in (10, 20, 180, 210)],
    factors=[0.1, 0.5, 1.0, 0.5, 0.1],
)
custom_hooks = [*_base_.custom_hooks, stages]
