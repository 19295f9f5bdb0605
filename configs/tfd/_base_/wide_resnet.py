# The stages of a wide ResNet, which end without an activation: what the next stage's first batch norm and ReLU make of
# them, so that all maps are post-ReLU as those of the other networks.
distiller = dict(
    type='ConfigurableDistiller',
    student_recorders=dict(
        stage1=dict(type='ModuleOutputs', source='backbone.layer2.0.relu1'),
        stage2=dict(type='ModuleOutputs', source='backbone.layer3.0.relu1'),
        stage3=dict(type='ModuleOutputs', source='backbone.final'),
    ),
)
features = dict(features=dict(from_student=True, recorder=['stage1', 'stage2', 'stage3']))
