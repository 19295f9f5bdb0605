# NORM: ResNet-34 teaches ResNet-18 on ImageNet.
# Teacher: mmpretrain's weights (73.62); the authors' README says 73.31.
# Student: _base_/students/resnet18_in1k.py, which trains it alone.
# Schedule: 100 epochs of 8 x 32 images, lr 0.1, cosine by epoch; NORM x 0.1, 0.5 from 5, 0.9 from 15, 0.5 from
#     60 and 0.1 from 80. The released loop runs one epoch more, at a rate of 1e-8.
# Settings: as released, with logits normalised (x 2.5) for cross-entropy, which weighs 1.
# Published top-1 (authors' README): student alone 70.13, KD 70.68, NORM 72.14; teacher 73.31.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['_base_/students/resnet18_in1k.py', '_base_/wiring/norm_in1k.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=dict(
        _base_.model,
        neck=dict(type='mmkd_ext.NORMNeck', in_channels=512, teacher_channels=512),
        head=dict(
            _base_.model.head,
            loss=dict(type='mmkd_ext.LogitNormLoss', scale=2.5, loss=dict(type='CrossEntropyLoss', loss_weight=1.0)),
        ),
    ),
    teacher='mmpretrain::resnet/resnet34_8xb32_in1k.py',
    teacher_ckpt='https://download.openmmlab.com/mmclassification/v0/resnet/resnet34_8xb32_in1k_20210831-f257d4e6.pth',
    distiller=_base_.distiller,
)
