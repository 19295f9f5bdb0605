# FitNet: Faster R-CNN R101 teaches Faster R-CNN R50 on COCO; FPN levels, each through a 1x1 convolution, mean squared
#     error.
# Source: Romero et al., "FitNets: Hints for Thin Deep Nets", arXiv:1412.6550.
# Teacher: mmdet's, of its 2x schedule (39.8 box AP).
# Student: ../_base_/students/faster_rcnn_r50_2x_coco.py, which trains it alone.
# Schedule: mmdet's 2x, 24 epochs of 8 x 2 images, lr 0.02, a tenth from 16 and 22. Another batch size: --auto-scale-lr.
# Published: nothing known on COCO; the paper distils classifiers, and from one map.
# Inferred: levels as of CWT, a mean over elements, weight 1.
# For another pair: MMRazor's loss does not compare sizes, and repeats a map of 1 x 1; both must have the same.
# Checked here: the losses against MMRazor's engine, and one training step on random data; not trained to the end.
_base_ = '_base_/faster_rcnn_r101_r50_coco.py'

levels = [0, 1, 2, 3]
model = dict(
    distiller=dict(
        connectors=dict(
            fpn=dict(type='mmrazor.ConvModuleConnector', in_channel=256, out_channel=256, act_cfg=None, levels=4)
        ),
        distill_losses=dict(loss_fitnet=dict(type='mmrazor.L2Loss', normalize=False, div_element=True)),
        loss_forward_mappings=dict(
            loss_fitnet=dict(
                s_feature=dict(from_student=True, recorder='fpn', data_idx=levels, connector='fpn'),
                t_feature=dict(from_student=False, recorder='fpn', data_idx=levels),
            )
        ),
    )
)
