# The same where the teacher's embedding has another width: the student's goes through the connector `embedding`.
_base_ = 'kd.py'

distiller = dict(loss_forward_mappings=dict(loss_nd=dict(student=dict(connector='embedding'))))
