# DKD: ResNet-50 teaches MobileNetV2 on CIFAR-100.
# Needs checkpoints/cifar100/resnet50.pth: see README.md.
_base_ = [
    '../students/nd/mobilenetv2_cifar100.py',
    '../_base_/teachers/resnet50_cifar100.py',
    '../_base_/wiring/classifier.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_dkd=dict(type='DKDLoss', tau=4.0, alpha=1.0, beta=8.0)),
        loss_forward_mappings=dict(loss_dkd=_base_.logits_labels),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_dkd', schedule='linear', begin=-1, end=19)]
