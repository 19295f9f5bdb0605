# The Faster R-CNN of faster_rcnn_student.py learns class logits, region by region, from that of faster_rcnn_teacher.py.
_base_ = 'faster_rcnn_student.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.RoIDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/faster_rcnn_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/faster_rcnn_teacher.pth',
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(logits=dict(type='ModuleOutputs', source='roi_head.bbox_head.fc_cls')),
        teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='roi_head.bbox_head.fc_cls')),
        distill_losses=dict(loss_kd=dict(type='KDLoss', tau=1.0)),
        loss_forward_mappings=dict(
            loss_kd=dict(
                student=dict(from_student=True, recorder='logits'),
                teacher=dict(from_student=False, recorder='logits'),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
