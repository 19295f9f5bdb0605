# Mask R-CNN on cell nuclei: EfficientNet-Lite0 teaches a narrow ResNet-18. See README.md for data, teacher and means.
#   tools/study.py studies/nuclei/study.py --jobs 1
study = dict(
    seeds=3,
    runs={'alone': 'student.py', 'CWT': 'cwt.py', 'KD': 'kd.py', 'KD++': 'kd_nd.py'},
    teachers=dict(teacher=dict(config='teacher.py', checkpoint='work_dirs/nuclei/teacher/epoch_4.pth')),
    pairs=[('KD++', 'KD')],
)
