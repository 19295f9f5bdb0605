# NORM with the training stages of the released code (240 epochs there). Cross-entropy of normalised logits weighs 1/8;
# the authors' sweep is from 1/16 to 1/2.
_base_ = 'taught.py'

loss = dict(type='mmkd_ext.LogitNormLoss', scale=2.5, loss=dict(type='CrossEntropyLoss', loss_weight=0.125))
model = dict(
    architecture=dict(neck=dict(_delete_=True, type='mmkd_ext.NORMNeck', in_channels=64, teacher_channels=64),
                      head=dict(loss=loss)),
    distiller=dict(
        student_recorders=dict(wide=dict(type='ModuleOutputs', source='neck.expand')),
        teacher_recorders=dict(maps=dict(type='ModuleOutputs', source='backbone.layer3')),
        distill_losses=dict(loss_norm=dict(type='NORMLoss')),
        loss_forward_mappings=dict(
            loss_norm=dict(
                student=dict(from_student=True, recorder='wide'),
                teacher=dict(from_student=False, recorder='maps'),
            )
        ),
    ),
)  # fmt: skip
total = _base_.epochs * _base_.steps
custom_hooks = [
    dict(
        type='mmkd_ext.LossWeightHook',
        loss='loss_norm',
        schedule='table',
        by_epoch=False,
        milestones=[total * epoch // 240 for epoch in (10, 20, 180, 210)],
        factors=[0.1, 0.5, 1.0, 0.5, 0.1],
    )
]
