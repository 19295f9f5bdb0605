# PKD: Faster R-CNN R101 teaches Faster R-CNN R50 on COCO; FPN levels, channels normalised over images and positions.
# Source: Cao et al., "PKD: General Distillation Framework for Object Detectors via Pearson Correlation Coefficient",
#     arXiv:2207.02039.
# Teacher: mmdet's, of its 2x schedule (39.8 box AP).
# Student: ../_base_/students/faster_rcnn_r50_2x_coco.py, which trains it alone.
# Schedule: mmdet's 2x, 24 epochs of 8 x 2 images, lr 0.02, a tenth from 16 and 22. Another batch size: --auto-scale-lr.
# Published (MMRazor, whose config this is): 40.4 box AP by its metafile, 40.3 by its README; student alone 38.4,
#     teacher 39.8.
# For another pair: MMRazor's loss resizes a map of another size to the other's, without a word.
# Checked here: the losses against MMRazor's engine, and one training step on random data; not trained to the end.
_base_ = '_base_/faster_rcnn_r101_r50_coco.py'

levels = [0, 1, 2, 3]
model = dict(
    distiller=dict(
        distill_losses=dict(loss_pkd=dict(type='mmrazor.PKDLoss', loss_weight=6.0)),
        loss_forward_mappings=dict(
            loss_pkd=dict(
                preds_S=dict(from_student=True, recorder='fpn', data_idx=levels),
                preds_T=dict(from_student=False, recorder='fpn', data_idx=levels),
            )
        ),
    )
)
