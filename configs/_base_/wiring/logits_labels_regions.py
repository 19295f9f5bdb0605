# The same of a loss that takes the labels, too.
_base_ = 'logits_labels.py'

layer = 'roi_head.bbox_head.fc_cls'
distiller = dict(
    student_recorders=dict(logits=dict(source=layer), labels=dict(source='roi_head.bbox_head.loss_cls')),
    teacher_recorders=dict(logits=dict(source=layer)),
)
