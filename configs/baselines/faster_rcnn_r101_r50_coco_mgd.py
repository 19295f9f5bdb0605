# MGD: Faster R-CNN R101 teaches Faster R-CNN R50 on COCO; FPN levels, each restored from a masked one.
# Source: Yang et al., "Masked Generative Distillation", arXiv:2205.01529.
# Teacher: mmdet's, of its 2x schedule (39.8 box AP).
# Student: ../_base_/students/faster_rcnn_r50_2x_coco.py, which trains it alone.
# Schedule: mmdet's 2x, 24 epochs of 8 x 2 images, lr 0.02, a tenth from 16 and 22. Another batch size: --auto-scale-lr.
# Published: nothing known for this pair. Mask, alpha, levels and clipping (norm 35) are those of MGD's code for
#     two-stage detectors, where a stronger teacher brings the student to 42.1 box AP.
# Checked here: the losses against MMRazor's engine, and one training step on random data; not trained to the end.
_base_ = '_base_/faster_rcnn_r101_r50_coco.py'

levels = [0, 1, 2, 3]
model = dict(
    distiller=dict(
        connectors=dict(
            fpn=dict(type='mmrazor.MGDConnector', student_channels=256, teacher_channels=256, lambda_mgd=0.45, levels=4)
        ),
        distill_losses=dict(loss_mgd=dict(type='mmrazor.MGDLoss', alpha_mgd=5e-7)),
        loss_forward_mappings=dict(
            loss_mgd=dict(
                preds_S=dict(from_student=True, recorder='fpn', data_idx=levels, connector='fpn'),
                preds_T=dict(from_student=False, recorder='fpn', data_idx=levels),
            )
        ),
    )
)
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
