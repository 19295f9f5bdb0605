# The Faster R-CNN of faster_rcnn_student.py learns from that of faster_rcnn_teacher.py by CWT.
_base_ = ['faster_rcnn_student.py', '_base_/cwt_fpn.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/faster_rcnn_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/faster_rcnn_teacher.pth',
    distiller=_base_.distiller,
)
custom_imports = dict(imports=['mmkd_ext'])
