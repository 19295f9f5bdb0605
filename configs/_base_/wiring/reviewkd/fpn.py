# ReviewKD of detectors: the five levels of the feature pyramid, fused by ABF.
levels = [0, 1, 2, 3, 4]
fpn = dict(type='ModuleOutputs', source='neck')
abf = dict(type='ABFConnector', in_channels=[256] * 5, out_channels=[256] * 5)
stages = dict(
    student=dict(from_student=True, recorder='fpn', data_idx=levels, connector='abf'),
    teacher=dict(from_student=False, recorder='fpn', data_idx=levels),
)
