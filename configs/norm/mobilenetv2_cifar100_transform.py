# MobileNetV2 on CIFAR-100 with NORM's transform and without a teacher: what the transform gives by itself.
# Student: _base_/students/mobilenetv2_cifar100.py, which trains it without the transform.
# Schedule: 241 epochs of batches of 64, lr 0.01, a tenth from 151, 181 and 211, as the released loop has it.
# Settings: plain cross-entropy; N is 8 and the segments are as wide as the student's own map, since the authors' are
#     not recorded. The plain form: --cfg-options model.neck.residual=False. The student's last ReLU is left out, as
#     NORM's is.
# Published top-1 (authors' README): student alone 64.81, with the transform 64.13, plain form 63.95.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = '_base_/students/mobilenetv2_cifar100.py'

model = dict(
    backbone=dict(final_relu=False),
    neck=dict(_delete_=True, type='mmkd_ext.NORMNeck', in_channels=1280, teacher_channels=1280),
)
