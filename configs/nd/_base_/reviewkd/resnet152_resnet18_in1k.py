# ReviewKD where ResNet-152 teaches ResNet-18 on ImageNet: what goes into each stage's last ReLU (a ResNet block runs
# one ReLU two or three times), and embeddings.
reviewkd = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(
        {
            f'stage{i}': dict(type='ModuleInputs', source=f'backbone.layer{i}.{block}.relu')
            for i, block in enumerate([1, 1, 1, 1], start=1)
        },
        embedding=dict(type='ModuleInputs', source='head.fc'),
    ),
    teacher_recorders=dict(
        {
            f'stage{i}': dict(type='ModuleInputs', source=f'backbone.layer{i}.{block}.relu')
            for i, block in enumerate([2, 7, 35, 2], start=1)
        },
        embedding=dict(type='ModuleInputs', source='head.fc'),
    ),
    connectors=dict(
        abf=dict(type='ABFConnector', in_channels=[64, 128, 256, 512, 512], out_channels=[256, 512, 1024, 2048, 2048])
    ),
    loss_forward_mappings=dict(
        loss_kd=dict(
            student=dict(
                from_student=True,
                recorder=['stage1', 'stage2', 'stage3', 'stage4', 'embedding'],
                record_idx=[1, 1, 1, 1, 0],
                data_idx=0,
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
