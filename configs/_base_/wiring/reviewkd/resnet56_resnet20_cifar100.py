# The same where ResNet-56 teaches ResNet-20.
_base_ = 'resnet32x4_resnet8x4_cifar100.py'

distiller = dict(teacher_recorders={f'stage{i}': dict(source=f'backbone.layer{i}.8.relu') for i in (1, 2, 3)})
abf = dict(in_channels=[16, 32, 64, 64], out_channels=[16, 32, 64, 64])
