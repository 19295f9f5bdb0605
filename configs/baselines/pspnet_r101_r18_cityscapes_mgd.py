# MGD: PSPNet R101-D8 teaches PSPNet R18-D8 on Cityscapes; last stage, restored from a masked one.
# Source: Yang et al., "Masked Generative Distillation", arXiv:2205.01529.
# Teacher: mmseg's, of 80k iterations at 512 x 1024 (79.76 mIoU).
# Student: ../_base_/students/pspnet_r18_80k_cityscapes.py, which trains it alone.
# Schedule: mmseg's 80k iterations, lr 0.01, of 4 x 2 images; crops of 512 x 1024. Another batch size: --auto-scale-lr.
# Published: nothing known at this size. Mask and alpha are those of MGD's code at 512 x 512 and 40k iterations (73.63
#     mIoU; student alone 69.85), which also distils the logits.
# Checked here: the losses against MMRazor's engine, and one training step on random data; not trained to the end.
_base_ = '_base_/pspnet_r101_r18_cityscapes.py'

model = dict(
    distiller=dict(
        student_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer4')),
        teacher_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer4')),
        connectors=dict(
            stage=dict(type='mmrazor.MGDConnector', student_channels=512, teacher_channels=2048, lambda_mgd=0.75)
        ),
        distill_losses=dict(loss_mgd=dict(type='mmrazor.MGDLoss', alpha_mgd=2e-5)),
        loss_forward_mappings=dict(
            loss_mgd=dict(
                preds_S=dict(from_student=True, recorder='stage', connector='stage'),
                preds_T=dict(from_student=False, recorder='stage'),
            )
        ),
    )
)
