# The ResNet of resnet_student.py learns by TFD: its deep stages teach its shallow ones, there is no teacher.
# The weight grows over the first epoch of 32 steps, corresponding to the published 20 of 240 epochs.
_base_ = 'resnet_student.py'

stages = dict(
    stage1=dict(type='ModuleOutputs', source='backbone.layer1'),
    stage2=dict(type='ModuleOutputs', source='backbone.layer2'),
    stage3=dict(type='ModuleOutputs', source='backbone.layer3'),
    stage4=dict(type='ModuleOutputs', source='backbone.layer4'),
)
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
    dict(type='mmkd_ext.LossWeightHook', loss='loss_tfd', schedule='linear', begin=-1, end=31, by_epoch=False)
]
custom_imports = dict(imports=['mmkd_ext'])
