# CWT: ResNet-50 teaches MobileNetV1 on ImageNet; last stage.
_base_ = ['../students/cwt/mobilenetv1_in1k.py', '../_base_/teachers/resnet50_in1k.py', '_base_/last_stage.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        connectors=dict(stage=dict(type='ChannelMLPConnector', in_channels=1024, out_channels=2048)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=7e-5)),
    ),
)
optim_wrapper = dict(clip_grad=dict(max_norm=5.0))
