# Base of the runs with a teacher; it records the FPN levels.
_base_ = 'student.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/teacher.py',
    teacher_ckpt='work_dirs/bccd/teacher/epoch_6.pth',
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
        teacher_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
    ),
)
custom_imports = dict(imports=['mmkd_ext', 'mmpretrain.models'])
