# The same of a loss that takes the labels, too.
_base_ = 'logits.py'

distiller = dict(
    student_recorders=dict(labels=dict(type='ModuleInputs', source='head.loss_module')),
    loss_forward_mappings=dict(loss_kd=dict(labels=dict(from_student=True, recorder='labels', data_idx=1))),
)
