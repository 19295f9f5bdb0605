# Mask R-CNN on the digit scenes: tools/study.py studies/digits_mask_rcnn/study.py --jobs 1
mini = '../../configs/mini/'
study = dict(
    seeds=3,
    runs={
        'alone': mini + 'mask_rcnn_student.py',
        'CWT': mini + 'mask_rcnn_cwt.py',
    },
    teachers=dict(
        teacher=dict(config=mini + 'mask_rcnn_teacher.py', checkpoint='configs/mini/checkpoints/mask_rcnn_teacher.pth')
    ),
)
