# CWD: PSPNet R101-D8 teaches PSPNet R18-D8 on Cityscapes; logits, each class's a distribution over positions.
# Source: Shu et al., "Channel-wise Knowledge Distillation for Dense Prediction", arXiv:2011.13256.
# Teacher: mmseg's, of 80k iterations at 512 x 1024 (79.76 mIoU).
# Student: ../_base_/students/pspnet_r18_80k_cityscapes.py, which trains it alone.
# Schedule: mmseg's 80k iterations, lr 0.01, of 4 x 2 images; crops of 512 x 1024. Another batch size: --auto-scale-lr.
# Published (MMRazor, whose config this is): 75.54 mIoU; student alone 74.87, teacher 79.76.
#     There the teacher's dropout is on, as only its batch norms are in eval mode; here all of it is.
# Checked here: the losses against MMRazor's engine, and one training step on random data; not trained to the end.
_base_ = '_base_/pspnet_r101_r18_cityscapes.py'

model = dict(
    distiller=dict(
        student_recorders=dict(logits=dict(type='ModuleOutputs', source='decode_head.conv_seg')),
        teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='decode_head.conv_seg')),
        distill_losses=dict(loss_cwd=dict(type='mmrazor.ChannelWiseDivergence', tau=1.0, loss_weight=5.0)),
        loss_forward_mappings=dict(
            loss_cwd=dict(
                preds_S=dict(from_student=True, recorder='logits'),
                preds_T=dict(from_student=False, recorder='logits'),
            )
        ),
    )
)
