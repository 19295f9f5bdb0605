# The same where WRN-40-2 teaches WRN-40-1, whose stages are sums that no ReLU follows.
_base_ = 'resnet32x4_resnet8x4_cifar100.py'

distiller = dict(
    teacher_recorders={
        f'stage{i}': dict(type='ModuleOutputs', source=f'backbone.{name}')
        for i, name in ((1, 'layer2.0.bn1'), (2, 'layer3.0.bn1'), (3, 'final.bn'))
    }
)
abf = dict(in_channels=[16, 32, 64, 64], out_channels=[32, 64, 128, 128])
stages = dict(teacher=dict(data_idx=[None, None, None, 0]))
