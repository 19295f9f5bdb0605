# KD of a dense head: the sigmoid class scores of all levels.
distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(head=dict(type='ModuleOutputs', source='bbox_head')),
    teacher_recorders=dict(head=dict(type='ModuleOutputs', source='bbox_head')),
    distill_losses=dict(loss_kd=dict(type='DenseKDLoss', num_classes=10)),
    loss_forward_mappings=dict(
        loss_kd=dict(
            student=dict(from_student=True, recorder='head', data_idx=0),
            teacher=dict(from_student=False, recorder='head', data_idx=0),
        )
    ),
)
