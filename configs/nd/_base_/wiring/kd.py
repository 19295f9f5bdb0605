# KD++ of classifiers: the logits, and the embedding, which is what the last layer is given.
_base_ = '../../../_base_/wiring/logits.py'

distiller = dict(
    student_recorders=dict(
        embedding=dict(type='ModuleInputs', source='head.fc'),
        labels=dict(type='ModuleInputs', source='head.loss_module'),
    ),
    teacher_recorders=dict(embedding=dict(type='ModuleInputs', source='head.fc')),
    loss_forward_mappings=dict(
        loss_nd=dict(
            student=dict(from_student=True, recorder='embedding', data_idx=0),
            teacher=dict(from_student=False, recorder='embedding', data_idx=0),
            labels=dict(from_student=True, recorder='labels', data_idx=1),
        ),
    ),
)
