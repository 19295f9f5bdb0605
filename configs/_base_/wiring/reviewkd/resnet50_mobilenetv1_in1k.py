# The same with MobileNetV1 as the student, each of whose ReLUs runs once.
_base_ = 'resnet50_resnet18_in1k.py'

distiller = dict(student_recorders=dict(stage3=dict(source='backbone.layer3.5.relu')))
abf = dict(in_channels=[128, 256, 512, 1024, 1024], mid_channels=256)
stages = dict(student=dict(record_idx=0))
