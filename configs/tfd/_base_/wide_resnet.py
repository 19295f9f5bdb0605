# The stages of a wide ResNet end without an activation. They are recorded after the next stage's first batch norm and
# ReLU, so that all maps are post-ReLU, like those of the other networks.
distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(
        stage1=dict(type='ModuleOutputs', source='backbone.layer2.0.relu1'),
        stage2=dict(type='ModuleOutputs', source='backbone.layer3.0.relu1'),
        stage3=dict(type='ModuleOutputs', source='backbone.final'),
    ),
)
features = dict(features=dict(from_student=True, recorder=['stage1', 'stage2', 'stage3']))
