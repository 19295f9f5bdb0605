# ReviewKD where ResNet-32x4 teaches ShuffleNetV2 on CIFAR-100: the student's stages with the teacher's before their
# last ReLU, and the embeddings.
reviewkd = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(
        {f'stage{i}': dict(type='ModuleOutputs', source=f'backbone.layer{i}') for i in (1, 2, 3)},
        embedding=dict(type='ModuleInputs', source='head.fc'),
    ),
    teacher_recorders=dict(
        {f'stage{i}': dict(type='ModuleInputs', source=f'backbone.layer{i}.4.relu') for i in (1, 2, 3)},
        embedding=dict(type='ModuleInputs', source='head.fc'),
    ),
    connectors=dict(
        abf=dict(
            type='ABFConnector',
            in_channels=[116, 232, 464, 1024],
            out_channels=[64, 128, 256, 256],
            out_sizes=[32, 16, 8, 1],
        )
    ),
    loss_forward_mappings=dict(
        loss_kd=dict(
            student=dict(
                from_student=True,
                recorder=['stage1', 'stage2', 'stage3', 'embedding'],
                data_idx=[None, None, None, 0],
                connector='abf',
            ),
            teacher=dict(from_student=False, recorder=['stage1', 'stage2', 'stage3', 'embedding'], data_idx=0),
        )
    ),
)
