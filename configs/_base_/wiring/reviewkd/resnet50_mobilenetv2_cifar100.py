# The same with MobileNetV2 as the student on CIFAR-100, where all students' stages are compared after their last ReLU.
_base_ = 'resnet50_resnet18_in1k.py'

distiller = dict(
    student_recorders={
        f'stage{i}': dict(type='ModuleOutputs', source=f'backbone.layer{layer}')
        for i, layer in ((1, 2), (2, 3), (3, 5), (4, 7))
    }
)
abf = dict(in_channels=[12, 16, 48, 160, 1280], out_sizes=[32, 16, 8, 4, 1])
stages = dict(student=dict(record_idx=0, data_idx=[None, None, None, None, 0]))
