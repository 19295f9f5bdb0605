# Base of the runs with a teacher.
_base_ = 'student.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/teacher.py',
    teacher_ckpt='work_dirs/camvid/teacher/epoch_12.pth',
    distiller=dict(type='ConfigurableDistiller'),
)
custom_imports = dict(imports=['mmkd_ext', 'mmpretrain.models'])
