# ReviewKD++: ResNet-34 teaches ResNet-18 on ImageNet.
# Needs work_dirs/class_means/resnet34_in1k.safetensors: see README.md.
_base_ = [
    '../students/nd/resnet18_in1k_torch_head.py',
    '../_base_/teachers/resnet34_in1k.py',
    '../_base_/wiring/reviewkd/resnet34_resnet18_in1k.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        connectors=dict(abf=_base_.abf),
        distill_losses=dict(
            loss_hcl=dict(type='HCLLoss', loss_weight=1.0),
            loss_nd=dict(type='NDLoss', class_means='work_dirs/class_means/resnet34_in1k.safetensors', loss_weight=3.0),
        ),
        loss_forward_mappings=dict(loss_hcl=_base_.stages, loss_nd=_base_.embedding),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_hcl', schedule='linear', end=5)]
