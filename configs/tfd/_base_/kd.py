# What Tf-FD+KD adds to Tf-FD: the logits.
last_layer = dict(type='ModuleOutputs', source='head.fc')
logits = dict(
    student=dict(from_student=True, recorder='logits'),
    teacher=dict(from_student=False, recorder='logits'),
)
