# DKD++: ResNet-50 teaches MobileNetV1 on ImageNet.
# Needs work_dirs/class_means/resnet50_in1k.safetensors: see README.md.
_base_ = ['../students/nd/mobilenetv1_in1k.py', '../_base_/teachers/resnet50_in1k.py', '../_base_/wiring/classifier.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        connectors=dict(embedding=dict(type='EmbedConnector', in_channels=1024, out_channels=2048, init_std=0.01)),
        distill_losses=dict(
            loss_dkd=dict(type='DKDLoss', tau=1.0, alpha=0.8, beta=1.0),
            loss_nd=dict(type='NDLoss', class_means='work_dirs/class_means/resnet50_in1k.safetensors', loss_weight=1.0),
        ),
        loss_forward_mappings=dict(loss_dkd=_base_.logits_labels, loss_nd=_base_.embedding_projected),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_dkd', schedule='linear', end=5)]
