# Tokens: the Faster R-CNN of faster_rcnn_student.py learns on its finest level from the small ViT of vit_teacher.py.
_base_ = ['faster_rcnn_student.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/vit_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/vit_teacher.pth',
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
        teacher_recorders=dict(tokens=dict(type='PatchTokens', source='backbone.layers.3')),
        connectors=dict(width=dict(type='Conv1x1Connector', in_channels=32, out_channels=96)),
        distill_losses=dict(loss_cosine=dict(type='CosineLoss', loss_weight=0.2)),
        loss_forward_mappings=dict(
            loss_cosine=dict(
                student=dict(from_student=True, recorder='fpn', data_idx=0, connector='width'),
                teacher=dict(from_student=False, recorder='tokens'),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
