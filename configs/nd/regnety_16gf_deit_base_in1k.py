# KD++: RegNetY-16GF teaches DeiT-B on ImageNet ("DeiT++").
# Needs checkpoints/regnety_16gf_in1k.pth and work_dirs/class_means/regnety_16gf_in1k.safetensors: see README.md.
_base_ = [
    '../students/nd/deit_base_in1k.py',
    '../_base_/teachers/regnety_16gf_in1k.py',
    '../_base_/wiring/classifier.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        student_recorders=dict(
            logits=dict(type='ModuleOutputs', source='head.layers.head'),
            embedding=dict(type='ModuleInputs', source='head.layers.head'),
            labels=dict(type='ModuleInputs', source='head.loss_module'),
        ),
        connectors=dict(embedding=dict(type='EmbedConnector', in_channels=768, out_channels=3024, init_std=0.01)),
        distill_losses=dict(
            loss_kd=dict(type='KDLoss', tau=1.0, loss_weight=0.5),
            loss_nd=dict(
                type='NDLoss', class_means='work_dirs/class_means/regnety_16gf_in1k.safetensors', loss_weight=1.5
            ),
        ),
        loss_forward_mappings=dict(loss_kd=_base_.logits, loss_nd=_base_.embedding_projected),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', end=5)]
custom_imports = dict(imports=['mmkd_ext'])
