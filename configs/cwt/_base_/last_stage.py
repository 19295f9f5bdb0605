# CWT of classifiers and segmentors: the last map of the backbone, the student's through the connector `stage`.
distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(stages=dict(type='ModuleOutputs', source='backbone')),
    teacher_recorders=dict(stages=dict(type='ModuleOutputs', source='backbone')),
    loss_forward_mappings=dict(
        loss_cwt=dict(
            student=dict(from_student=True, recorder='stages', data_idx=-1, connector='stage'),
            teacher=dict(from_student=False, recorder='stages', data_idx=-1),
        )
    ),
)
