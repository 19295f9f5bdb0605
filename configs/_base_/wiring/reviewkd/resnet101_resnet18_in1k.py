# The same with ResNet-101 as the teacher.
_base_ = 'resnet50_resnet18_in1k.py'

distiller = dict(teacher_recorders=dict(stage3=dict(source='backbone.layer3.22.relu')))
