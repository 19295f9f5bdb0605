# Tokens: MAE ViT-B/16 teaches the last stage of PSPNet R18 on Cityscapes.
_base_ = ['../students/pspnet_r18_80k_cityscapes.py', '../_base_/teachers/mae_vit_b.py', '_base_/tokens.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        student_recorders=dict(stage=dict(type='ModuleOutputs', source='backbone.layer4')),
        connectors=dict(width=dict(type='Conv1x1Connector', in_channels=512, out_channels=768)),
        distill_losses=dict(loss_cosine=dict(type='CosineLoss', resize='area')),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
