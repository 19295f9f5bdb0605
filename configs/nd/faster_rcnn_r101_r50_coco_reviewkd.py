# ReviewKD++: Faster R-CNN R101 teaches Faster R-CNN R50 on COCO; FPN levels, and each region's embedding.
# Teacher: mmdet's, of its 3x schedule (41.8 AP); the authors' is Detectron2's R101.
# Class means: tools/class_means.py configs/nd/faster_rcnn_r101_r50_coco_reviewkd.py \
#     --out work_dirs/class_means/faster_rcnn_r101_coco.safetensors
#     The authors' are of the student's regions: --proposals student (mini pair: cosine 0.98-0.99, as good in 3 epochs).
# Student: _base_/students/faster_rcnn_r50_coco.py, which trains it alone.
# Schedule: mmdet's 1x, 12 epochs of 8 x 2 images, lr 0.02 (88k iterations, milestones 59k and 81k); the authors have
#     180k of 8, lr 0.01, milestones 120k and 160k, which is 2% longer. Another batch size: --auto-scale-lr.
# Published: the paper reports COCO; its numbers were not at hand. The weights (ReviewKD 1.4, ND 1.0) are those of the
#     released files. mmdet's zoo: the student alone 37.4, trained at one image size and with its batch norms'
#     weight and bias.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['faster_rcnn_r101_r50_coco.py', '_base_/reviewkd/faster_rcnn_coco.py']

model = dict(
    distiller=dict(
        _base_.reviewkd,
        distill_losses=dict(
            loss_kd=dict(_delete_=True, type='HCLLoss', loss_weight=1.4),
            loss_nd=dict(loss_weight=1.0),
        ),
    )
)
