# PKD: PSPNet R101-D8 teaches PSPNet R18-D8 on Cityscapes; logits, each class's normalised over images and positions.
# Source: Cao et al., "PKD: General Distillation Framework for Object Detectors via Pearson Correlation Coefficient",
#     arXiv:2207.02039.
# Teacher: mmseg's, of 80k iterations at 512 x 1024 (79.76 mIoU).
# Student: ../_base_/students/pspnet_r18_80k_cityscapes.py, which trains it alone.
# Schedule: mmseg's 80k iterations, lr 0.01, of 4 x 2 images; crops of 512 x 1024. Another batch size: --auto-scale-lr.
# Published: nothing known on Cityscapes; the paper distils detectors.
# Inferred: the logits, as PKD has no connector and these alone have as many channels in both; the weight is that of
#     two-stage detectors.
# For another pair: MMRazor's loss resizes a map of another size to the other's, without a word.
# Checked here: the losses against MMRazor's engine, and one training step on random data; not trained to the end.
_base_ = '_base_/pspnet_r101_r18_cityscapes.py'

model = dict(
    distiller=dict(
        student_recorders=dict(logits=dict(type='ModuleOutputs', source='decode_head.conv_seg')),
        teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='decode_head.conv_seg')),
        distill_losses=dict(loss_pkd=dict(type='mmrazor.PKDLoss', loss_weight=6.0)),
        loss_forward_mappings=dict(
            loss_pkd=dict(
                preds_S=dict(from_student=True, recorder='logits'),
                preds_T=dict(from_student=False, recorder='logits'),
            )
        ),
    )
)
