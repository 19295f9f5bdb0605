# The Faster R-CNN of faster_rcnn_student.py learns by NORM on the FPN levels from that of faster_rcnn_teacher.py. The
# method's released code has no detectors. Each level gets a transform after its last convolution, into which it folds.
_base_ = 'faster_rcnn_student.py'

levels = ['fpn_convs.0.conv', 'fpn_convs.1.conv', 'fpn_convs.2.conv']
model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=dict(
        _base_.model, neck=dict(type='mmkd_ext.NORMFeatures', neck=_base_.model.neck, after=levels, teacher_channels=64)
    ),
    teacher='{{fileDirname}}/faster_rcnn_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/faster_rcnn_teacher.pth',
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(
            p2=dict(type='ModuleOutputs', source='neck.fpn_convs.0.conv.transform.expand'),
            p3=dict(type='ModuleOutputs', source='neck.fpn_convs.1.conv.transform.expand'),
            p4=dict(type='ModuleOutputs', source='neck.fpn_convs.2.conv.transform.expand'),
        ),
        teacher_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
        distill_losses=dict(loss_norm=dict(type='NORMLoss')),
        loss_forward_mappings=dict(
            loss_norm=dict(
                student=dict(from_student=True, recorder=['p2', 'p3', 'p4']),
                teacher=dict(from_student=False, recorder='fpn', data_idx=[0, 1, 2]),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
