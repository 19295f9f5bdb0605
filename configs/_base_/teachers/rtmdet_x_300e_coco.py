# mmdet's RTMDet-x on COCO.
teacher = dict(
    teacher='mmdet::rtmdet/rtmdet_x_8xb32-300e_coco.py',
    teacher_ckpt='https://download.openmmlab.com/mmdetection/v3.0/rtmdet/rtmdet_x_8xb32-300e_coco/rtmdet_x_8xb32-300e_coco_20220715_230555-cc79b9ae.pth',
)
