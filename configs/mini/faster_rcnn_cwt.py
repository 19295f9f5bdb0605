# CWT on the FPN levels of a narrow Faster R-CNN: the student of faster_rcnn_student.py learns from faster_rcnn_teacher.py.
_base_ = 'faster_rcnn_student.py'

levels = [0, 1, 2, 3]
model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/faster_rcnn_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/faster_rcnn_teacher.pth',
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
        teacher_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
        connectors=dict(fpn=dict(type='ChannelMLPConnector', in_channels=32, out_channels=64, levels=4)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=2e-5)),
        loss_forward_mappings=dict(
            loss_cwt=dict(
                student=dict(from_student=True, recorder='fpn', data_idx=levels, connector='fpn'),
                teacher=dict(from_student=False, recorder='fpn', data_idx=levels),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
