# CWT: ResNet-34 teaches ResNet-18 on ImageNet; last stage.
# Teacher: mmpretrain's weights (73.62).
# Student: _base_/students/resnet18_in1k.py, which trains it alone.
# Schedule: 100 epochs of 8 x 32 images, lr 0.1, a tenth from 30, 60 and 90.
# Published top-1: the abstract has no number for this pair.
# Inferred: teacher, schedule and alpha are those of MGD's code, whose student alone has 69.90 (MGD 71.69). The
#     connector has no alignment layer and the teacher's width.
#     Sweep alpha by x 0.5, 2 and 5: MGD masks its map, which CWT does not, and that changes the scale of the loss.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['_base_/students/resnet18_in1k.py', '_base_/wiring/last_stage.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='mmpretrain::resnet/resnet34_8xb32_in1k.py',
    teacher_ckpt='https://download.openmmlab.com/mmclassification/v0/resnet/resnet34_8xb32_in1k_20210831-f257d4e6.pth',
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        connectors=dict(stage=dict(type='ChannelMLPConnector', in_channels=512, out_channels=512)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=7e-5)),
    ),
)
