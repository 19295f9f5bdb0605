# RTMDet-m for COCO alone: mmdet's config, 8 x 32 images.
_base_ = 'mmdet::rtmdet/rtmdet_m_8xb32-300e_coco.py'

auto_scale_lr = dict(enable=False, base_batch_size=256)
