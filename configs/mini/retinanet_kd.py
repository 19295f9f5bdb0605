# The RetinaNet of retinanet_student.py learns by KD of the class scores.
_base_ = ['retinanet_student.py', '_base_/dense_kd.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/retinanet_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/retinanet_teacher.pth',
    distiller=_base_.distiller,
)
custom_imports = dict(imports=['mmkd_ext'])
