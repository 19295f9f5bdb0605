# NORM+KD: ResNet-50 teaches MobileNetV1 on ImageNet.
# Teacher: mmpretrain's weights (76.55); the authors' README says 76.16, their code names a file of 76.94.
# Student: _base_/students/mobilenetv1_in1k.py, which trains it alone.
# Schedule: 100 epochs of 8 x 32 images, lr 0.1, cosine by epoch; NORM x 0.1, 0.5 from 5, 0.9 from 15, 0.5 from
#     60 and 0.1 from 80. The released loop runs one epoch more, at a rate of 1e-8.
# Settings: as released, logits normalised (x 2.5) for cross-entropy and KD. All three weigh 0.5, as a comment of the
#     released code says; it is not published on ImageNet.
# Published top-1 (authors' README): student alone 69.63, KD 70.68, NORM without KD 74.26; teacher 76.16.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['resnet50_mobilenetv1_in1k.py', '_base_/wiring/kd.py']

model = dict(
    architecture=dict(head=dict(loss=dict(loss=dict(loss_weight=0.5)))),
    distiller=_base_.kd,
)
