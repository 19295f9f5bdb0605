# Classifiers: the logits, which are what the last layer returns, the embedding, which is what it is given, and labels.
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

# What a loss is given: the logits; these and the labels; embedding and labels, as they are or through the connector
# `embedding`, where the teacher's has another width.
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
