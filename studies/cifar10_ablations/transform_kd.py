# KD of plain logits, and NORM's transform behind the student's last stage.
_base_ = '../cifar10/kd.py'

model = dict(architecture=dict(neck=dict(_delete_=True, type='mmkd_ext.NORMNeck', in_channels=64, teacher_channels=64)))
