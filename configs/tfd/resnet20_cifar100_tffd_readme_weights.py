# Tf-FD with the weights of the released README: ResNet-20 on CIFAR-100.
_base_ = ['../students/tfd/resnet20_cifar100.py', '_base_/cifar_resnet.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SelfDistill',
    architecture=_base_.model,
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(
            loss_tfd=dict(type='TFDLoss', loss_weight=5e-4),
            loss_intra=dict(type='IntraTFDLoss', loss_weight=8e-4, detach_salient=False),
        ),
        loss_forward_mappings=dict(loss_tfd=_base_.features, loss_intra=_base_.features),
    ),
)
custom_hooks = [
    dict(type='mmkd_ext.LossWeightHook', loss=['loss_tfd', 'loss_intra'], schedule='linear', begin=-1, end=19)
]
