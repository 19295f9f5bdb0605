# DKD.
_base_ = 'taught.py'

model = dict(
    distiller=dict(
        student_recorders=dict(
            logits=dict(type='ModuleOutputs', source='head.fc'),
            labels=dict(type='ModuleInputs', source='head.loss_module'),
        ),
        teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='head.fc')),
        distill_losses=dict(loss_dkd=dict(type='DKDLoss', tau=4.0, alpha=2.5, beta=4.0)),
        loss_forward_mappings=dict(
            loss_dkd=dict(
                student=dict(from_student=True, recorder='logits'),
                teacher=dict(from_student=False, recorder='logits'),
                labels=dict(from_student=True, recorder='labels', data_idx=1),
            )
        ),
    )
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_dkd', schedule='linear', by_epoch=False, end=78)]
