# The four stages of a ResNet of the toolboxes, post-ReLU.
stages = dict(
    stage1=dict(type='ModuleOutputs', source='backbone.layer1'),
    stage2=dict(type='ModuleOutputs', source='backbone.layer2'),
    stage3=dict(type='ModuleOutputs', source='backbone.layer3'),
    stage4=dict(type='ModuleOutputs', source='backbone.layer4'),
)
features = dict(from_student=True, recorder=list(stages))
