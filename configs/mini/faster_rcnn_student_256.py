# The student with the teacher's width in the box head, so that embeddings of regions are compared without a connector,
# as in the published pairs.
_base_ = 'faster_rcnn_student.py'

model = dict(roi_head=dict(bbox_head=dict(fc_out_channels=256)))
