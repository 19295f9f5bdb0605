# KD++: WRN-40-2 teaches WRN-40-1 on CIFAR-100.
# Needs checkpoints/cifar100/wrn40_2.pth and work_dirs/class_means/wrn40_2_cifar100.safetensors: see README.md.
_base_ = [
    '../students/nd/wrn40_1_cifar100.py',
    '../_base_/teachers/wrn40_2_cifar100.py',
    '../_base_/wiring/classifier.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        connectors=dict(embedding=dict(type='EmbedConnector', in_channels=64, out_channels=128)),
        distill_losses=dict(
            loss_kd=dict(type='KDLoss', tau=4.0, loss_weight=1.0),
            loss_nd=dict(
                type='NDLoss', class_means='work_dirs/class_means/wrn40_2_cifar100.safetensors', loss_weight=1.5
            ),
        ),
        loss_forward_mappings=dict(loss_kd=_base_.logits, loss_nd=_base_.embedding_projected),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', end=20)]
