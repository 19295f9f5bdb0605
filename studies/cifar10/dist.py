# DIST.
_base_ = 'taught.py'

model = dict(
    distiller=dict(
        student_recorders=dict(logits=dict(type='ModuleOutputs', source='head.fc')),
        teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='head.fc')),
        distill_losses=dict(loss_dist=dict(type='DISTLoss', tau=4.0, loss_weight=2.0)),
        loss_forward_mappings=dict(
            loss_dist=dict(
                student=dict(from_student=True, recorder='logits'),
                teacher=dict(from_student=False, recorder='logits'),
            )
        ),
    )
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_dist', schedule='linear', by_epoch=False, end=78)]
