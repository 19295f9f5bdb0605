# ReviewKD where WRN-40-2 teaches WRN-40-1 on CIFAR-100: the student's sums of the stages with the teacher's before
# their last ReLU, and the embeddings.
reviewkd = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(
        {f'stage{i}': dict(type='ModuleOutputs', source=f'backbone.layer{i}') for i in (1, 2, 3)},
        embedding=dict(type='ModuleInputs', source='head.fc'),
    ),
    teacher_recorders=dict(
        {
            f'stage{i}': dict(type='ModuleOutputs', source=f'backbone.{name}')
            for i, name in enumerate(['layer2.0.bn1', 'layer3.0.bn1', 'final.bn'], start=1)
        },
        embedding=dict(type='ModuleInputs', source='head.fc'),
    ),
    connectors=dict(abf=dict(type='ABFConnector', in_channels=[16, 32, 64, 64], out_channels=[32, 64, 128, 128])),
    loss_forward_mappings=dict(
        loss_kd=dict(
            student=dict(
                from_student=True,
                recorder=['stage1', 'stage2', 'stage3', 'embedding'],
                data_idx=[None, None, None, 0],
                connector='abf',
            ),
            teacher=dict(
                from_student=False, recorder=['stage1', 'stage2', 'stage3', 'embedding'], data_idx=[None, None, None, 0]
            ),
        )
    ),
)
