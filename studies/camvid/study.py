# PSPNet on street scenes: EfficientNet-Lite0 teaches a narrow ResNet-18. See README.md for data and teacher.
#   tools/study.py studies/camvid/study.py --jobs 1
study = dict(
    seeds=3,
    runs={'alone': 'student.py', 'CWT': 'cwt.py', 'CWD': 'cwd.py', 'TFD': 'tfd.py', 'Tf-FD': 'tffd.py'},
    teachers=dict(teacher=dict(config='teacher.py', checkpoint='work_dirs/camvid/teacher/epoch_12.pth')),
)
