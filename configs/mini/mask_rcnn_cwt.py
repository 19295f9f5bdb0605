# The Mask R-CNN of mask_rcnn_student.py learns by CWT on the FPN levels.
_base_ = ['mask_rcnn_student.py', '_base_/cwt_fpn.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/mask_rcnn_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/mask_rcnn_teacher.pth',
    distiller=_base_.distiller,
)
custom_imports = dict(imports=['mmkd_ext'])
