# NORM+KD: resnet_norm.py, and KD on the logits.
_base_ = 'resnet_student.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=dict(_base_.model, neck=dict(type='mmkd_ext.NORMNeck', in_channels=64, teacher_channels=128)),
    teacher='{{fileDirname}}/resnet_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/resnet_teacher.pth',
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(
            wide=dict(type='ModuleOutputs', source='neck.expand'),
            logits=dict(type='ModuleOutputs', source='head.fc'),
        ),
        teacher_recorders=dict(
            stage=dict(type='ModuleOutputs', source='backbone.layer4'),
            logits=dict(type='ModuleOutputs', source='head.fc'),
        ),
        distill_losses=dict(loss_norm=dict(type='NORMLoss'), loss_kd=dict(type='KDLoss', tau=4.0)),
        loss_forward_mappings=dict(
            loss_norm=dict(
                student=dict(from_student=True, recorder='wide'),
                teacher=dict(from_student=False, recorder='stage'),
            ),
            loss_kd=dict(
                student=dict(from_student=True, recorder='logits'),
                teacher=dict(from_student=False, recorder='logits'),
            ),
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
# The training stages of the released code on CIFAR-100, scaled from 240 epochs to 10 epochs of 32 iterations.
custom_hooks = [
    dict(
        type='mmkd_ext.LossWeightHook',
        loss='loss_norm',
        schedule='table',
        by_epoch=False,
        milestones=[13, 27, 240, 280],
        factors=[0.1, 0.5, 1.0, 0.5, 0.1],
    )
]
