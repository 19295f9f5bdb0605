# RegNetY-16GF teaches DeiT-B on ImageNet: both networks and the teacher's weights; a leaf says what is compared.
_base_ = '../students/deit_base_in1k.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='{{fileDirname}}/../../../_base_/teachers/regnety_16gf_in1k.py',
    teacher_ckpt='checkpoints/regnety_16gf_in1k.pth',
)
custom_imports = dict(imports=['mmkd_ext'])
