# The RTMDet of rtmdet_student.py learns by KD of the class scores.
_base_ = ['rtmdet_student.py', '_base_/dense_kd.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/rtmdet_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/rtmdet_teacher.pth',
    distiller=_base_.distiller,
)
custom_imports = dict(imports=['mmkd_ext'])
