# RTMDet: the neck's three output convolutions, before their normalisation layers. Each channel is normalised over the
# batch, the student's after a 1x1 convolution; a leaf config sets the widths of `convs` and `norms`.
levels = ['fpn0', 'fpn1', 'fpn2']
norm_cfg = dict(type='BN', affine=False, track_running_stats=False)
convs = dict(type='mmrazor.ConvModuleConnector', bias=False, norm_cfg=norm_cfg, act_cfg=None, levels=3)
norms = dict(type='mmrazor.NormConnector', norm_cfg=norm_cfg, levels=3)
recorders = {f'fpn{i}': dict(type='ModuleOutputs', source=f'neck.out_convs.{i}.conv') for i in range(3)}
distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=recorders,
    teacher_recorders=recorders,
    distill_losses=dict(loss_cwd=dict(type='mmrazor.ChannelWiseDivergence', tau=1.0, loss_weight=1.0)),
    loss_forward_mappings=dict(
        loss_cwd=dict(
            preds_S=dict(from_student=True, recorder=levels, connector='student'),
            preds_T=dict(from_student=False, recorder=levels, connector='teacher'),
        )
    ),
)
# Distillation stops at the same epoch as the strong augmentation.
stop = dict(type='mmkd_ext.LossWeightHook', loss='loss_cwd', schedule='table', milestones=[280], factors=[1, 0])
