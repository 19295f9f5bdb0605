# CWD on the logits, each class's a distribution over positions, with the weight of configs/baselines.
_base_ = 'taught.py'

logits = dict(type='ModuleOutputs', source='decode_head.conv_seg')
model = dict(
    distiller=dict(
        student_recorders=dict(logits=logits),
        teacher_recorders=dict(logits=logits),
        distill_losses=dict(loss_cwd=dict(type='mmrazor.ChannelWiseDivergence', tau=1.0, loss_weight=5.0)),
        loss_forward_mappings=dict(
            loss_cwd=dict(
                preds_S=dict(from_student=True, recorder='logits'),
                preds_T=dict(from_student=False, recorder='logits'),
            )
        ),
    )
)
