# ReviewKD of detectors: the FPN levels, fused by ABF.
levels = [0, 1, 2, 3, 4]
reviewkd = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
    teacher_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
    connectors=dict(abf=dict(type='ABFConnector', in_channels=[256] * 5, out_channels=[256] * 5)),
    loss_forward_mappings=dict(
        loss_kd=dict(
            student=dict(from_student=True, recorder='fpn', data_idx=levels, connector='abf'),
            teacher=dict(from_student=False, recorder='fpn', data_idx=levels),
        )
    ),
)
