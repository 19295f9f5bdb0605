# NORM+KD: norm.py, and KD of normalised logits; all three losses have a weight of 0.5, as a comment in the released
# code says.
_base_ = 'norm.py'

model = dict(
    architecture=dict(head=dict(loss=dict(loss=dict(loss_weight=0.5)))),
    distiller=dict(
        student_recorders=dict(logits=dict(type='ModuleOutputs', source='head.fc')),
        teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='head.fc')),
        connectors=dict(logits=dict(type='LogitNormConnector', scale=2.5)),
        distill_losses=dict(loss_norm=dict(loss_weight=0.5), loss_kd=dict(type='KDLoss', tau=4.0, loss_weight=0.5)),
        loss_forward_mappings=dict(
            loss_kd=dict(
                student=dict(from_student=True, recorder='logits', connector='logits'),
                teacher=dict(from_student=False, recorder='logits', connector='logits'),
            )
        ),
    ),
)
