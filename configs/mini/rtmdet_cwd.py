# The RTMDet of rtmdet_student.py learns by CWD, as in configs/baselines.
_base_ = ['rtmdet_student.py', '../_base_/wiring/rtmdet.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/rtmdet_teacher.py',
    teacher_ckpt='{{fileDirname}}/checkpoints/rtmdet_teacher.pth',
    distiller=dict(
        _base_.distiller,
        connectors=dict(
            student=dict(_base_.convs, in_channel=32, out_channel=64),
            teacher=dict(_base_.norms, in_channels=64),
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
