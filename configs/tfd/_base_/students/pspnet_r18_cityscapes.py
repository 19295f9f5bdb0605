# PSPNet-R18 for Cityscapes alone: mmseg's config.
_base_ = '../../../_base_/students/pspnet_r18_80k_cityscapes.py'
