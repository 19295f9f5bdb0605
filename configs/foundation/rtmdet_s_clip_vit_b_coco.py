# Tokens: CLIP ViT-B/16 teaches the stage of stride 16 of RTMDet-s on COCO.
_base_ = ['../students/rtmdet_s_300e_coco.py', '../_base_/teachers/clip_vit_b.py', '_base_/tokens.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        student_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.stage3')),
        connectors=dict(width=dict(type='Conv1x1Connector', in_channels=256, out_channels=768)),
        distill_losses=dict(loss_cosine=dict(type='CosineLoss', resize='bilinear')),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
