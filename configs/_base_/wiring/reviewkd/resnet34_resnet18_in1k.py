# The same with ResNet-34 as the teacher, whose blocks run their ReLU twice.
_base_ = 'resnet50_resnet18_in1k.py'

abf = dict(out_channels=[64, 128, 256, 512, 512])
stages = dict(teacher=dict(record_idx=[1, 1, 1, 1, 0]))
