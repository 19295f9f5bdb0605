# TFD: ResNet-18 on ImageNet; its deep stages teach its shallow ones, and there is no teacher.
_base_ = ['../students/resnet18_in1k.py', '_base_/resnet.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SelfDistill',
    architecture=_base_.model,
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(loss_tfd=dict(type='TFDLoss', loss_weight=5e-3)),
        loss_forward_mappings=dict(loss_tfd=_base_.features),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_tfd', schedule='linear', begin=-1, end=19)]
custom_imports = dict(imports=['mmkd_ext'])
