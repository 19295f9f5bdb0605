# The stages of a CIFAR ResNet, post-ReLU, as released.
distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(
        stage1=dict(type='ModuleOutputs', source='backbone.layer1'),
        stage2=dict(type='ModuleOutputs', source='backbone.layer2'),
        stage3=dict(type='ModuleOutputs', source='backbone.layer3'),
    ),
)
features = dict(features=dict(from_student=True, recorder=['stage1', 'stage2', 'stage3']))
