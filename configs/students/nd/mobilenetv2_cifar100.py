# MobileNetV2 of half width for CIFAR-100 alone, with the schedule of the ND code.
_base_ = ['../../_base_/models/mobilenetv2_cifar100.py', '../../nd/_base_/cifar100.py']

optim_wrapper = dict(optimizer=dict(lr=0.02))  # the authors give this rate only for ShuffleNet
