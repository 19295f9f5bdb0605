# Classifiers: the logits (output of the last layer), the embedding (its input) and the labels.
distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(
        logits=dict(type='ModuleOutputs', source='head.fc'),
        embedding=dict(type='ModuleInputs', source='head.fc'),
        labels=dict(type='ModuleInputs', source='head.loss_module'),
    ),
    teacher_recorders=dict(
        logits=dict(type='ModuleOutputs', source='head.fc'),
        embedding=dict(type='ModuleInputs', source='head.fc'),
    ),
)

# Inputs of a loss: logits; logits and labels; embedding and labels, with the student's embedding as it is, or through
# the connector `embedding` if the teacher's has another width.
labels = dict(from_student=True, recorder='labels', data_idx=1)
logits = dict(
    student=dict(from_student=True, recorder='logits'),
    teacher=dict(from_student=False, recorder='logits'),
)
logits_labels = dict(logits, labels=labels)
embedding = dict(
    student=dict(from_student=True, recorder='embedding', data_idx=0),
    teacher=dict(from_student=False, recorder='embedding', data_idx=0),
    labels=labels,
)
embedding_projected = dict(embedding, student=dict(embedding['student'], connector='embedding'))
