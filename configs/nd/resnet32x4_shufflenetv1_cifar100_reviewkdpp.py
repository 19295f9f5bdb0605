# ReviewKD++: ResNet-32x4 teaches ShuffleNetV1 on CIFAR-100.
# Needs checkpoints/cifar100/resnet32x4.pth and work_dirs/class_means/resnet32x4_cifar100.safetensors: see README.md.
_base_ = [
    '../students/nd/shufflenetv1_cifar100.py',
    '../_base_/teachers/resnet32x4_cifar100.py',
    '../_base_/wiring/reviewkd/resnet32x4_shufflenetv1_cifar100.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        connectors=dict(embedding=dict(type='EmbedConnector', in_channels=960, out_channels=256), abf=_base_.abf),
        distill_losses=dict(
            loss_hcl=dict(type='HCLLoss', loss_weight=7.0),
            loss_nd=dict(
                type='NDLoss', class_means='work_dirs/class_means/resnet32x4_cifar100.safetensors', loss_weight=1.0
            ),
        ),
        loss_forward_mappings=dict(loss_hcl=_base_.stages, loss_nd=_base_.embedding_projected),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_hcl', schedule='linear', end=20)]
