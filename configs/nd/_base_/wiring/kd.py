# KD++ of classifiers: the logits, and the embedding, which is what the last layer is given.
distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(
        logits=dict(type='ModuleOutputs', source='head.fc'),
        embedding=dict(type='ModuleInputs', source='head.fc'),
        labels=dict(type='ModuleInputs', source='head.loss_module'),
    ),
    teacher_recorders=dict(
        logits=dict(type='ModuleOutputs', source='head.fc'),
        embedding=dict(type='ModuleInputs', source='head.fc'),
    ),
    loss_forward_mappings=dict(
        loss_kd=dict(
            student=dict(from_student=True, recorder='logits'),
            teacher=dict(from_student=False, recorder='logits'),
        ),
        loss_nd=dict(
            student=dict(from_student=True, recorder='embedding', data_idx=0),
            teacher=dict(from_student=False, recorder='embedding', data_idx=0),
            labels=dict(from_student=True, recorder='labels', data_idx=1),
        ),
    ),
)
