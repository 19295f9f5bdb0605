# KD++ of two-stage detectors: logits and 1024-d embedding of each region that the student sampled, background too.
distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(
        logits=dict(type='ModuleOutputs', source='roi_head.bbox_head.fc_cls'),
        embedding=dict(type='ModuleInputs', source='roi_head.bbox_head.fc_cls'),
        labels=dict(type='ModuleInputs', source='roi_head.bbox_head.loss_cls'),
    ),
    teacher_recorders=dict(
        logits=dict(type='ModuleOutputs', source='roi_head.bbox_head.fc_cls'),
        embedding=dict(type='ModuleInputs', source='roi_head.bbox_head.fc_cls'),
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
