# The ResNet of resnet_student.py learns by NORM on the last stage: it gets a transform, which folds into its classifier
# (tools/export_student.py). Its teacher first: tools/train.py configs/mini/resnet_teacher.py
_base_ = 'resnet_student.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=dict(_base_.model, neck=dict(type='mmkd_ext.NORMNeck', in_channels=64, teacher_channels=192)),
    teacher='{{fileDirname}}/resnet_teacher.py',
    teacher_ckpt='work_dirs/resnet_teacher/epoch_24.pth',
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(wide=dict(type='ModuleOutputs', source='neck.expand')),
        teacher_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer4')),
        distill_losses=dict(loss_norm=dict(type='NORMLoss', num_segments=8)),
        loss_forward_mappings=dict(
            loss_norm=dict(
                student=dict(from_student=True, recorder='wide'),
                teacher=dict(from_student=False, recorder='stage'),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
