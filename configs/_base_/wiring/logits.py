# KD of classifiers: the logits, which are what the last layer returns.
distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(logits=dict(type='ModuleOutputs', source='head.fc')),
    teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='head.fc')),
    loss_forward_mappings=dict(
        loss_kd=dict(
            student=dict(from_student=True, recorder='logits'),
            teacher=dict(from_student=False, recorder='logits'),
        )
    ),
)
