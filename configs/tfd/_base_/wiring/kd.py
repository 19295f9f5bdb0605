# What Tf-FD+KD adds to Tf-FD: the logits, whose loss warms up with the other two.
kd = dict(
    student_recorders=dict(logits=dict(type='ModuleOutputs', source='head.fc')),
    teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='head.fc')),
    distill_losses=dict(loss_kd=dict(type='KDLoss', tau=4.0)),
    loss_forward_mappings=dict(
        loss_kd=dict(
            student=dict(from_student=True, recorder='logits'),
            teacher=dict(from_student=False, recorder='logits'),
        )
    ),
)
warm_up = dict(
    type='mmkd_ext.LossWeightHook',
    loss=['loss_tfd', 'loss_intra', 'loss_kd'],
    schedule='linear',
    begin=-1,
    end=19,
)
