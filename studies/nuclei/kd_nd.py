# KD++: kd.py, and the norm and direction of the embedding, with the weights of configs/nd's Faster R-CNN R101 -> R18.
_base_ = 'nd.py'

logits = dict(type='ModuleOutputs', source='roi_head.bbox_head.fc_cls')
model = dict(
    distiller=dict(
        student_recorders=dict(logits=logits),
        teacher_recorders=dict(logits=logits),
        distill_losses=dict(loss_kd=dict(type='KDLoss', tau=1.0, loss_weight=1.0)),
        loss_forward_mappings=dict(
            loss_kd=dict(
                student=dict(from_student=True, recorder='logits'),
                teacher=dict(from_student=False, recorder='logits'),
            )
        ),
    )
)
