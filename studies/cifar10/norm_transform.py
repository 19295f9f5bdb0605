# NORM's student without a teacher: the transform alone, with plain cross-entropy.
_base_ = 'student.py'

model = dict(neck=dict(_delete_=True, type='mmkd_ext.NORMNeck', in_channels=64, teacher_channels=64))
