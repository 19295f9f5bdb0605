# KD++: resnet_kd.py, and the norm and direction of the embedding.
# The class means are shipped; this makes them again: tools/class_means.py configs/mini/resnet_nd.py --restart \
#     --out configs/mini/checkpoints/resnet_teacher_means.safetensors
_base_ = 'resnet_kd.py'

model = dict(
    distiller=dict(
        student_recorders=dict(
            embedding=dict(type='ModuleInputs', source='head.fc'),
            labels=dict(type='ModuleInputs', source='head.loss_module'),
        ),
        teacher_recorders=dict(embedding=dict(type='ModuleInputs', source='head.fc')),
        connectors=dict(embedding=dict(type='EmbedConnector', in_channels=64, out_channels=128)),
        distill_losses=dict(
            loss_nd=dict(type='NDLoss', class_means='{{fileDirname}}/checkpoints/resnet_teacher_means.safetensors')
        ),
        loss_forward_mappings=dict(
            loss_nd=dict(
                student=dict(from_student=True, recorder='embedding', data_idx=0, connector='embedding'),
                teacher=dict(from_student=False, recorder='embedding', data_idx=0),
                labels=dict(from_student=True, recorder='labels', data_idx=1),
            )
        ),
    )
)
# In a run this short ND waits until the network tells classes apart; from the first epoch on it holds that up.
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_nd', schedule='linear', begin=3, end=6)]
