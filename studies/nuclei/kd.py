# KD: class logits of each region that the student sampled. Its weight is that of configs/baselines.
_base_ = 'taught.py'

layer = dict(type='ModuleOutputs', source='roi_head.bbox_head.fc_cls')
model = dict(
    type='mmkd_ext.RoIDistill',
    distiller=dict(
        student_recorders=dict(_delete_=True, logits=layer),
        teacher_recorders=dict(_delete_=True, logits=layer),
        distill_losses=dict(loss_kd=dict(type='KDLoss', tau=1.0, loss_weight=1.0)),
        loss_forward_mappings=dict(
            loss_kd=dict(
                student=dict(from_student=True, recorder='logits'),
                teacher=dict(from_student=False, recorder='logits'),
            )
        ),
    ),
)
