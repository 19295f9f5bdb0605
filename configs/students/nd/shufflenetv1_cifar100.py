# ShuffleNetV1 for CIFAR-100 alone, with the schedule of the ND code.
_base_ = [
    '../../_base_/models/shufflenetv1_cifar100.py',
    '../../nd/_base_/cifar100.py',
    '../../_base_/zero_bias.py',
]

model = dict(head=dict(init_cfg=dict(_base_.zero_bias, _delete_=True)))  # as released
optim_wrapper = dict(optimizer=dict(lr=0.02))
