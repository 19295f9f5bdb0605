# The same where a vision transformer of mmpretrain teaches: its embedding is the normed class token.
_base_ = 'classifier.py'

distiller = dict(
    teacher_recorders=dict(logits=dict(source='head.layers.head'), embedding=dict(source='head.layers.head'))
)
