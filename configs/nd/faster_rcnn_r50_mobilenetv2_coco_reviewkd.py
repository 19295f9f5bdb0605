# ReviewKD++: Faster R-CNN R50 teaches Faster R-CNN MobileNetV2 on COCO; FPN levels, and each region's embedding.
# Teacher: mmdet's, of its 3x schedule (40.3 AP); the authors' is Detectron2's R50.
# Class means: tools/class_means.py configs/nd/faster_rcnn_r50_mobilenetv2_coco_reviewkd.py \
#     --out work_dirs/class_means/faster_rcnn_r50_coco.safetensors
#     The authors' are of the student's regions: --proposals student (mini pair: cosine 0.98-0.99, as good in 3 epochs).
# Student: _base_/students/faster_rcnn_mobilenetv2_coco.py, which trains it alone.
# Schedule: mmdet's 1x, 12 epochs of 8 x 2 images, lr 0.02 (88k iterations, milestones 59k and 81k); the authors have
#     180k of 8, lr 0.01, milestones 120k and 160k, which is 2% longer. Another batch size: --auto-scale-lr.
# Published: the paper reports COCO; its numbers were not at hand. The weights (ReviewKD 2.2, ND 1.5) are those of the
#     released files.
#     As released the code does not read this file's weight of ND but that of KD++, which is 1.0 by default.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['faster_rcnn_r50_mobilenetv2_coco.py', '_base_/reviewkd/faster_rcnn_coco.py']

model = dict(
    distiller=dict(
        _base_.reviewkd,
        distill_losses=dict(
            loss_kd=dict(_delete_=True, type='HCLLoss', loss_weight=2.2),
            loss_nd=dict(loss_weight=1.5),
        ),
    )
)
