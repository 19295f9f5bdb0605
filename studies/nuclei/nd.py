# What ND adds: each region's embedding is pulled towards the teacher's norm and class mean. Make the class means with:
# tools/class_means.py studies/nuclei/kd_nd.py --out work_dirs/nuclei/teacher_means.safetensors
_base_ = 'taught.py'

given = dict(type='ModuleInputs', source='roi_head.bbox_head.fc_cls')
model = dict(
    type='mmkd_ext.RoIDistill',
    distiller=dict(
        student_recorders=dict(embedding=given, labels=dict(type='ModuleInputs', source='roi_head.bbox_head.loss_cls')),
        teacher_recorders=dict(embedding=given),
        distill_losses=dict(
            loss_nd=dict(type='NDLoss', class_means='work_dirs/nuclei/teacher_means.safetensors', loss_weight=1.5)
        ),
        loss_forward_mappings=dict(
            loss_nd=dict(
                student=dict(from_student=True, recorder='embedding', data_idx=0),
                teacher=dict(from_student=False, recorder='embedding', data_idx=0),
                labels=dict(from_student=True, recorder='labels', data_idx=1),
            )
        ),
    ),
)
