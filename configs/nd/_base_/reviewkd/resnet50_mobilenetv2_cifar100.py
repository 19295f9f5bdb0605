# ReviewKD where ResNet-50 teaches MobileNetV2 on CIFAR-100: the student's stages with the teacher's before their last
# ReLU, and the embeddings.
reviewkd = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(
        {
            f'stage{i}': dict(type='ModuleOutputs', source=f'backbone.layer{layer}')
            for i, layer in enumerate([2, 3, 5, 7], start=1)
        },
        embedding=dict(type='ModuleInputs', source='head.fc'),
    ),
    teacher_recorders=dict(
        {
            f'stage{i}': dict(type='ModuleInputs', source=f'backbone.layer{i}.{block}.relu')
            for i, block in enumerate([2, 3, 5, 2], start=1)
        },
        embedding=dict(type='ModuleInputs', source='head.fc'),
    ),
    connectors=dict(
        abf=dict(
            type='ABFConnector',
            in_channels=[12, 16, 48, 160, 1280],
            out_channels=[256, 512, 1024, 2048, 2048],
            out_sizes=[32, 16, 8, 4, 1],
        )
    ),
    loss_forward_mappings=dict(
        loss_kd=dict(
            student=dict(
                from_student=True,
                recorder=['stage1', 'stage2', 'stage3', 'stage4', 'embedding'],
                data_idx=[None, None, None, None, 0],
                connector='abf',
            ),
            teacher=dict(
                from_student=False,
                recorder=['stage1', 'stage2', 'stage3', 'stage4', 'embedding'],
                record_idx=[2, 2, 2, 2, 0],
                data_idx=0,
            ),
        )
    ),
)
