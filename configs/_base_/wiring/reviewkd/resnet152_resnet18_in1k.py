# The same with ResNet-152 as the teacher.
_base_ = 'resnet50_resnet18_in1k.py'

distiller = dict(
    teacher_recorders=dict(
        stage2=dict(source='backbone.layer2.7.relu'),
        stage3=dict(source='backbone.layer3.35.relu'),
    )
)
