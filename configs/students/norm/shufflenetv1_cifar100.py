# ShuffleNetV1 for CIFAR-100 alone, with the schedule of the NORM code.
_base_ = ['../../_base_/models/shufflenetv1_cifar100.py', '../../norm/_base_/cifar100.py']

optim_wrapper = dict(optimizer=dict(lr=0.01))
