# KD++: resnet_kd.py, and the norm and direction of the embedding.
_base_ = 'resnet_student.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/resnet_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/resnet_teacher.pth',
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(
            logits=dict(type='ModuleOutputs', source='head.fc'),
            embedding=dict(type='ModuleInputs', source='head.fc'),
            labels=dict(type='ModuleInputs', source='head.loss_module'),
        ),
        teacher_recorders=dict(
            logits=dict(type='ModuleOutputs', source='head.fc'),
            embedding=dict(type='ModuleInputs', source='head.fc'),
        ),
        connectors=dict(embedding=dict(type='EmbedConnector', in_channels=64, out_channels=128)),
        distill_losses=dict(
            loss_kd=dict(type='KDLoss', tau=4.0),
            loss_nd=dict(type='NDLoss', class_means='{{fileDirname}}/checkpoints/resnet_teacher_means.safetensors'),
        ),
        loss_forward_mappings=dict(
            loss_kd=dict(
                student=dict(from_student=True, recorder='logits'),
                teacher=dict(from_student=False, recorder='logits'),
            ),
            loss_nd=dict(
                student=dict(from_student=True, recorder='embedding', data_idx=0, connector='embedding'),
                teacher=dict(from_student=False, recorder='embedding', data_idx=0),
                labels=dict(from_student=True, recorder='labels', data_idx=1),
            ),
        ),
    ),
)
# In a run this short, ND waits until the network tells classes apart; if it starts in the first epoch, it delays that.
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_nd', schedule='linear', begin=3, end=6)]
custom_imports = dict(imports=['mmkd_ext'])
