# CWD: GFL R101 teaches GFL R50 on COCO; class logits of all levels, each class a distribution over positions.
_base_ = ['../students/gfl_r50_1x_coco.py', '../_base_/teachers/gfl_r101_2x_coco.py']

levels = [0, 1, 2, 3, 4]  # calls of the head's last convolution
model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(logits=dict(type='ModuleOutputs', source='bbox_head.gfl_cls')),
        teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='bbox_head.gfl_cls')),
        distill_losses=dict(loss_cwd=dict(type='mmrazor.ChannelWiseDivergence', tau=1.0, loss_weight=5.0)),
        loss_forward_mappings=dict(
            loss_cwd=dict(
                preds_S=dict(from_student=True, recorder='logits', record_idx=levels),
                preds_T=dict(from_student=False, recorder='logits', record_idx=levels),
            )
        ),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
