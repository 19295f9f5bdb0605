# The stages of a CIFAR ResNet, post-ReLU, as released.
stages = dict(
    stage1=dict(type='ModuleOutputs', source='backbone.layer1'),
    stage2=dict(type='ModuleOutputs', source='backbone.layer2'),
    stage3=dict(type='ModuleOutputs', source='backbone.layer3'),
)
features = dict(from_student=True, recorder=list(stages))
