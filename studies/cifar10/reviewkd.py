# ReviewKD: compares the student's stages with the teacher's before their last ReLU, and the embeddings.
_base_ = 'taught.py'

maps = ['stage1', 'stage2', 'stage3', 'embedding']
model = dict(
    distiller=dict(
        student_recorders=dict(
            {f'stage{i}': dict(type='ModuleOutputs', source=f'backbone.layer{i}') for i in (1, 2, 3)},
            embedding=dict(type='ModuleInputs', source='head.fc'),
        ),
        teacher_recorders=dict(
            {f'stage{i}': dict(type='ModuleInputs', source=f'backbone.layer{i}.2.relu') for i in (1, 2, 3)},
            embedding=dict(type='ModuleInputs', source='head.fc'),
        ),
        connectors=dict(abf=dict(type='ABFConnector', in_channels=[16, 32, 64, 64], out_channels=[16, 32, 64, 64])),
        distill_losses=dict(loss_hcl=dict(type='HCLLoss', loss_weight=1.2)),
        loss_forward_mappings=dict(
            loss_hcl=dict(
                student=dict(from_student=True, recorder=maps, data_idx=[None, None, None, 0], connector='abf'),
                teacher=dict(from_student=False, recorder=maps, data_idx=0),
            )
        ),
    )
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_hcl', schedule='linear', by_epoch=False, end=78)]
