# mmdet's RTMDet-m on COCO.
teacher = dict(
    teacher='mmdet::rtmdet/rtmdet_m_8xb32-300e_coco.py',
    teacher_ckpt='https://download.openmmlab.com/mmdetection/v3.0/rtmdet/rtmdet_m_8xb32-300e_coco/rtmdet_m_8xb32-300e_coco_20220719_112220-229f527c.pth',
)
