# TFD: the deep stages of the backbone teach the shallow ones, without a teacher. The weight grows over the first
# twelfth of training, as published.
_base_ = 'student.py'

stages = dict({f'stage{i}': dict(type='ModuleOutputs', source=f'backbone.layer{i}') for i in (1, 2, 3)})
features = dict(from_student=True, recorder=list(stages))
model = dict(
    _delete_=True,
    type='mmkd_ext.SelfDistill',
    architecture=_base_.model,
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=stages,
        distill_losses=dict(loss_tfd=dict(type='TFDLoss', loss_weight=5e-3)),
        loss_forward_mappings=dict(loss_tfd=dict(features=features)),
    ),
)
custom_hooks = [
    dict(type='mmkd_ext.LossWeightHook', loss='loss_tfd', schedule='linear', by_epoch=False, begin=-1, end=24)
]
