# CWT: ResNet-34 teaches ResNet-18 on ImageNet; last stage.
_base_ = ['../students/cwt/resnet18_in1k.py', '../_base_/teachers/resnet34_in1k.py', '_base_/last_stage.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        connectors=dict(stage=dict(type='ChannelMLPConnector', in_channels=512, out_channels=512)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=7e-5)),
    ),
)
