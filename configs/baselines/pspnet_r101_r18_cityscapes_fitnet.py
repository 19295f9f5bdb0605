# FitNet: PSPNet R101-D8 teaches PSPNet R18-D8 on Cityscapes; last stage through a 1x1 convolution, mean squared error.
# Source: Romero et al., "FitNets: Hints for Thin Deep Nets", arXiv:1412.6550.
# Teacher: mmseg's, of 80k iterations at 512 x 1024 (79.76 mIoU).
# Student: ../_base_/students/pspnet_r18_80k_cityscapes.py, which trains it alone.
# Schedule: mmseg's 80k iterations, lr 0.01, of 4 x 2 images; crops of 512 x 1024. Another batch size: --auto-scale-lr.
# Published: nothing known on Cityscapes; the paper distils classifiers.
# Inferred: the map, a mean over elements, weight 1.
# For another pair: MMRazor's loss does not compare sizes, and repeats a map of 1 x 1; both must have the same.
# Checked here: the losses against MMRazor's engine, and one training step on random data; not trained to the end.
_base_ = '_base_/pspnet_r101_r18_cityscapes.py'

model = dict(
    distiller=dict(
        student_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer4')),
        teacher_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer4')),
        connectors=dict(stage=dict(type='mmrazor.ConvModuleConnector', in_channel=512, out_channel=2048, act_cfg=None)),
        distill_losses=dict(loss_fitnet=dict(type='mmrazor.L2Loss', normalize=False, div_element=True)),
        loss_forward_mappings=dict(
            loss_fitnet=dict(
                s_feature=dict(from_student=True, recorder='stage', connector='stage'),
                t_feature=dict(from_student=False, recorder='stage'),
            )
        ),
    )
)
