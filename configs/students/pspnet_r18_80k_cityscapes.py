# PSPNet R18-D8 for Cityscapes alone: mmseg's 80k config, crops of 512 x 1024, 4 x 2 images.
_base_ = 'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py'

default_hooks = dict(checkpoint=dict(max_keep_ckpts=2))
auto_scale_lr = dict(enable=False, base_batch_size=8)
