# NORM: the wide map of the student's transform, and the map that the teacher's classifier pools. As released, logits
# are normalised for cross-entropy, whose weight is 1/8 where no other is known.
_base_ = 'as_pytorch.py'

distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(wide=dict(type='ModuleOutputs', source='neck.expand')),
    teacher_recorders=dict(maps=dict(type='ModuleOutputs', source='backbone')),
    distill_losses=dict(loss_norm=dict(type='NORMLoss')),
    loss_forward_mappings=dict(
        loss_norm=dict(
            student=dict(from_student=True, recorder='wide'),
            teacher=dict(from_student=False, recorder='maps', data_idx=-1),
        )
    ),
)
classification = dict(type='mmkd_ext.LogitNormLoss', scale=2.5, loss=dict(type='CrossEntropyLoss', loss_weight=0.125))
