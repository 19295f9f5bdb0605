# KD++: ViT-S teaches ResNet-18 on ImageNet.
# Needs work_dirs/class_means/vit_s_in1k.safetensors: see README.md.
_base_ = [
    '../students/nd/resnet18_in1k.py',
    '../_base_/teachers/vit_s_in1k.py',
    '../_base_/wiring/classifier_vit_teacher.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        connectors=dict(embedding=dict(type='EmbedConnector', in_channels=512, out_channels=384, init_std=0.01)),
        distill_losses=dict(
            loss_kd=dict(type='KDLoss', tau=1.0, loss_weight=1.5),
            loss_nd=dict(type='NDLoss', class_means='work_dirs/class_means/vit_s_in1k.safetensors', loss_weight=1.0),
        ),
        loss_forward_mappings=dict(loss_kd=_base_.logits, loss_nd=_base_.embedding_projected),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', end=5)]
