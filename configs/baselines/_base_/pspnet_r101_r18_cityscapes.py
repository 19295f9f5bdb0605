# PSPNet R101-D8 teaches PSPNet R18-D8 on Cityscapes, by what a leaf says.
_base_ = '../../_base_/students/pspnet_r18_80k_cityscapes.py'

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='mmseg::pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py',
    teacher_ckpt='https://download.openmmlab.com/mmsegmentation/v0.5/pspnet/pspnet_r101-d8_512x1024_80k_cityscapes/pspnet_r101-d8_512x1024_80k_cityscapes_20200606_112211-e1e1100f.pth',
    distiller=dict(type='ConfigurableDistiller'),
)
custom_imports = dict(imports=['mmkd_ext'])
