# ReviewKD++: ResNet-50 teaches MobileNetV2 on CIFAR-100.
# Needs checkpoints/cifar100/resnet50.pth and work_dirs/class_means/resnet50_cifar100.safetensors: see README.md.
_base_ = [
    '../students/nd/mobilenetv2_cifar100.py',
    '../_base_/teachers/resnet50_cifar100.py',
    '../_base_/wiring/reviewkd/resnet50_mobilenetv2_cifar100.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        connectors=dict(embedding=dict(type='EmbedConnector', in_channels=1280, out_channels=2048), abf=_base_.abf),
        distill_losses=dict(
            loss_hcl=dict(type='HCLLoss', loss_weight=6.0),
            loss_nd=dict(
                type='NDLoss', class_means='work_dirs/class_means/resnet50_cifar100.safetensors', loss_weight=2.0
            ),
        ),
        loss_forward_mappings=dict(loss_hcl=_base_.stages, loss_nd=_base_.embedding_projected),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_hcl', schedule='linear', end=20)]
