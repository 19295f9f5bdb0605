# The same for one-stage detectors: P3 to P7.
_base_ = 'fpn.py'

levels = [0, 1, 2, 3, 4]
distiller = dict(
    connectors=dict(fpn=dict(levels=5)),
    loss_forward_mappings=dict(loss_cwt=dict(student=dict(data_idx=levels), teacher=dict(data_idx=levels))),
)
