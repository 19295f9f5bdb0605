# ResNet-18 for ImageNet alone, with PyTorch's default initialisation of the classifier, unlike resnet18_in1k.py.
_base_ = ['mmpretrain::_base_/models/resnet18.py', '../../nd/_base_/imagenet.py']

model = dict(backbone=dict(zero_init_residual=False), head=dict(init_cfg=None))  # as released for teacher ResNet-34
