# The four stages of a ResNet of the toolboxes, post-ReLU.
distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(
        stage1=dict(type='ModuleOutputs', source='backbone.layer1'),
        stage2=dict(type='ModuleOutputs', source='backbone.layer2'),
        stage3=dict(type='ModuleOutputs', source='backbone.layer3'),
        stage4=dict(type='ModuleOutputs', source='backbone.layer4'),
    ),
)
features = dict(features=dict(from_student=True, recorder=['stage1', 'stage2', 'stage3', 'stage4']))
