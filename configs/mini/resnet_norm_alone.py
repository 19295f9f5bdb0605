# The ResNet of resnet_student.py with the transform of resnet_norm.py, and no teacher.
_base_ = 'resnet_student.py'

model = dict(neck=dict(_delete_=True, type='mmkd_ext.NORMNeck', in_channels=64, teacher_channels=128))
custom_imports = dict(imports=['mmkd_ext'])
