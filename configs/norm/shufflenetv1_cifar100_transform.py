# ShuffleNetV1 on CIFAR-100 with NORM's transform and without a teacher: what the transform gives by itself.
# Student: _base_/students/shufflenetv1_cifar100.py, which trains it without the transform.
# Schedule: 241 epochs of batches of 64, lr 0.01, a tenth from 151, 181 and 211, as the released loop has it.
# Settings: plain cross-entropy; N is 8 and the segments are as wide as the student's own map, since the authors' are
#     not recorded. The plain form: --cfg-options model.neck.residual=False
# Published top-1 (authors' README): student alone 71.63, with the transform 71.76, plain form 71.82.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['_base_/students/shufflenetv1_cifar100.py', '_base_/as_pytorch.py']

model = dict(
    neck=dict(
        _delete_=True, type='mmkd_ext.NORMNeck', in_channels=960, teacher_channels=960, init_cfg=_base_.as_pytorch
    )
)
