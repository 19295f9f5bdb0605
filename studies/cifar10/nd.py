# What ND adds: the student's embedding, which is as wide as the teacher's, is pulled towards the teacher's norm and
# class mean.
loss_nd = dict(type='NDLoss', class_means='{{fileDirname}}/teacher_means.safetensors')
nd = dict(
    student_recorders=dict(
        embedding=dict(type='ModuleInputs', source='head.fc'),
        labels=dict(type='ModuleInputs', source='head.loss_module'),
    ),
    teacher_recorders=dict(embedding=dict(type='ModuleInputs', source='head.fc')),
    loss_forward_mappings=dict(
        loss_nd=dict(
            student=dict(from_student=True, recorder='embedding', data_idx=0),
            teacher=dict(from_student=False, recorder='embedding', data_idx=0),
            labels=dict(from_student=True, recorder='labels', data_idx=1),
        )
    ),
)
