# ReviewKD++: Faster R-CNN R101 teaches Faster R-CNN R18 on COCO; FPN levels, and each region's embedding.
# Teacher: mmdet's, of its 3x schedule (41.8 AP); the authors' is Detectron2's R101.
# Class means: tools/class_means.py configs/nd/faster_rcnn_r101_r18_coco_reviewkd.py \
#     --out work_dirs/class_means/faster_rcnn_r101_coco.safetensors
# Student: _base_/students/faster_rcnn_r18_coco.py, which trains it alone.
# Schedule: mmdet's 1x, 12 epochs of 8 x 2 images, lr 0.02 (88k iterations, milestones 59k and 81k); the authors have
#     180k of 8, lr 0.01, milestones 120k and 160k, which is 2% longer. Another batch size: --auto-scale-lr.
# Published: no AP, the authors' repository has the weights (ReviewKD 1.2, ND 1.5) but no COCO results.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = 'faster_rcnn_r101_r18_coco.py'

levels = [0, 1, 2, 3, 4]
model = dict(
    distiller=dict(
        student_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
        teacher_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
        connectors=dict(abf=dict(type='ABFConnector', in_channels=[256] * 5, out_channels=[256] * 5)),
        distill_losses=dict(
            loss_kd=dict(_delete_=True, type='HCLLoss', loss_weight=1.2),
            loss_nd=dict(loss_weight=1.5),
        ),
        loss_forward_mappings=dict(
            loss_kd=dict(
                student=dict(recorder='fpn', data_idx=levels, connector='abf'),
                teacher=dict(recorder='fpn', data_idx=levels),
            )
        ),
    )
)
