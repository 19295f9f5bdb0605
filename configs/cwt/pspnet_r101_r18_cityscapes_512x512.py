# CWT: PSPNet R101-D8 teaches PSPNet R18-D8 on Cityscapes, on square crops; last stage.
_base_ = [
    '../students/cwt/pspnet_r18_40k_cityscapes_512x512.py',
    '../_base_/teachers/pspnet_r101_40k_cityscapes.py',
    '_base_/last_stage.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        connectors=dict(stage=dict(type='ChannelMLPConnector', in_channels=512, out_channels=2048)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=2e-5)),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
