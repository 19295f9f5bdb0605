# The trained stages of a ResNet whose stem and first stage are frozen, as in mmdet; post-ReLU.
distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(
        stage2=dict(type='ModuleOutputs', source='backbone.layer2'),
        stage3=dict(type='ModuleOutputs', source='backbone.layer3'),
        stage4=dict(type='ModuleOutputs', source='backbone.layer4'),
    ),
)
features = dict(features=dict(from_student=True, recorder=['stage2', 'stage3', 'stage4']))
