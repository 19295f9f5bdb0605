# Tokens: DINOv2 ViT-B/14 teaches the stage of stride 16 of Faster R-CNN R50 on COCO.
_base_ = ['../students/faster_rcnn_r50_1x_coco.py', '../_base_/teachers/dinov2_vit_b.py', '_base_/tokens.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        student_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer3')),
        connectors=dict(width=dict(type='Conv1x1Connector', in_channels=1024, out_channels=768)),
        distill_losses=dict(loss_cosine=dict(type='CosineLoss', resize='bilinear')),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
