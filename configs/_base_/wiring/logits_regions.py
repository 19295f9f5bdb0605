# KD of two-stage detectors: the class logits of each region that the student sampled, background too.
_base_ = 'logits.py'

layer = 'roi_head.bbox_head.fc_cls'
distiller = dict(
    student_recorders=dict(logits=dict(source=layer)),
    teacher_recorders=dict(logits=dict(source=layer)),
)
