# KD++: faster_rcnn_kd.py, and the norm and direction of each region's embedding.
_base_ = 'faster_rcnn_student.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.RoIDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/faster_rcnn_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/faster_rcnn_teacher.pth',
    distiller=dict(
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
        distill_losses=dict(
            loss_kd=dict(type='KDLoss', tau=1.0),
            loss_nd=dict(
                type='NDLoss', class_means='{{fileDirname}}/checkpoints/faster_rcnn_teacher_means.safetensors'
            ),
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
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
