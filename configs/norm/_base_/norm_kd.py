# NORM+KD: NORM, and KD of normalised logits, with the weights given in a comment in the released code.
_base_ = 'norm.py'

distiller = dict(
    student_recorders=dict(logits=dict(type='ModuleOutputs', source='head.fc')),
    teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='head.fc')),
    connectors=dict(logits=dict(type='LogitNormConnector', scale=2.5)),
    distill_losses=dict(
        loss_norm=dict(loss_weight=0.5),
        loss_kd=dict(type='KDLoss', tau=4.0, loss_weight=0.5),
    ),
    loss_forward_mappings=dict(
        loss_kd=dict(
            student=dict(from_student=True, recorder='logits', connector='logits'),
            teacher=dict(from_student=False, recorder='logits', connector='logits'),
        )
    ),
)
classification = dict(loss=dict(loss_weight=0.5))
