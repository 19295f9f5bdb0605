# NORM+KD: ResNet-34 teaches ResNet-18 on ImageNet.
# Teacher: mmpretrain's weights (73.62); the authors' README says 73.31.
# Student: _base_/students/resnet18_in1k.py, which trains it alone.
# Schedule: 100 epochs of 8 x 32 images, lr 0.1, cosine by epoch; NORM x 0.1, 0.5 from 5, 0.9 from 15, 0.5 from
#     60 and 0.1 from 80. The released loop runs one epoch more, at a rate of 1e-8.
# Settings: as released, logits normalised (x 2.5) for cross-entropy and KD. All three weigh 0.5, as a comment of the
#     released code says; it is not published on ImageNet.
# Published top-1 (authors' README): student alone 70.13, KD 70.68, NORM without KD 72.14; teacher 73.31.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['resnet34_resnet18_in1k.py', '_base_/wiring/kd.py']

model = dict(
    architecture=dict(head=dict(loss=dict(loss=dict(loss_weight=0.5)))),
    distiller=_base_.kd,
)
