# CWD: PSPNet R101-D8 teaches PSPNet R18-D8 on Cityscapes; logits, each class's a distribution over positions.
_base_ = ['../students/pspnet_r18_80k_cityscapes.py', '../_base_/teachers/pspnet_r101_80k_cityscapes.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(logits=dict(type='ModuleOutputs', source='decode_head.conv_seg')),
        teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='decode_head.conv_seg')),
        distill_losses=dict(loss_cwd=dict(type='mmrazor.ChannelWiseDivergence', tau=1.0, loss_weight=5.0)),
        loss_forward_mappings=dict(
            loss_cwd=dict(
                preds_S=dict(from_student=True, recorder='logits'),
                preds_T=dict(from_student=False, recorder='logits'),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
