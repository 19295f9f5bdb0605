# KD++: ResNet-152 teaches ResNet-50 on ImageNet.
# Needs work_dirs/class_means/resnet152_in1k.safetensors: see README.md.
_base_ = ['../students/nd/resnet50_in1k.py', '../_base_/teachers/resnet152_in1k.py', '../_base_/wiring/classifier.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        distill_losses=dict(
            loss_kd=dict(type='KDLoss', tau=1.0, loss_weight=4.0),
            loss_nd=dict(
                type='NDLoss', class_means='work_dirs/class_means/resnet152_in1k.safetensors', loss_weight=2.0
            ),
        ),
        loss_forward_mappings=dict(loss_kd=_base_.logits, loss_nd=_base_.embedding),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', end=5)]
