# Two-stage detectors: class logits and 1024-d embedding of each region that the student sampled, background included.
_base_ = 'classifier.py'

layer = 'roi_head.bbox_head.fc_cls'
distiller = dict(
    student_recorders=dict(
        logits=dict(source=layer),
        embedding=dict(source=layer),
        labels=dict(source='roi_head.bbox_head.loss_cls'),
    ),
    teacher_recorders=dict(logits=dict(source=layer), embedding=dict(source=layer)),
)
