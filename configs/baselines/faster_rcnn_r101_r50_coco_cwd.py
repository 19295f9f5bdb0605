# CWD: Faster R-CNN R101 teaches Faster R-CNN R50 on COCO; FPN levels, each channel a distribution over positions.
# Source: Shu et al., "Channel-wise Knowledge Distillation for Dense Prediction", arXiv:2011.13256.
# Teacher: mmdet's, of its 2x schedule (39.8 box AP).
# Student: ../_base_/students/faster_rcnn_r50_2x_coco.py, which trains it alone.
# Schedule: mmdet's 2x, 24 epochs of 8 x 2 images, lr 0.02, a tenth from 16 and 22. Another batch size: --auto-scale-lr.
# Published: nothing known for this pair. Levels, temperature and weight are those of MMRazor's config, of 12 epochs and
#     without a result.
# Checked here: the losses against MMRazor's engine, and one training step on random data; not trained to the end.
_base_ = '_base_/faster_rcnn_r101_r50_coco.py'

levels = [0, 1, 2, 3, 4]
model = dict(
    distiller=dict(
        distill_losses=dict(loss_cwd=dict(type='mmrazor.ChannelWiseDivergence', tau=1.0, loss_weight=10.0)),
        loss_forward_mappings=dict(
            loss_cwd=dict(
                preds_S=dict(from_student=True, recorder='fpn', data_idx=levels),
                preds_T=dict(from_student=False, recorder='fpn', data_idx=levels),
            )
        ),
    )
)
