# Base of the runs with a teacher: ResNet-20 teaches ResNet-8.
_base_ = 'student.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/teacher.py',
    teacher_ckpt='{{fileDirname}}/teacher.pth',
    distiller=dict(type='ConfigurableDistiller'),
)
