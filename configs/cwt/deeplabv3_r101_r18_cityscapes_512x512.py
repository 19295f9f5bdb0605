# CWT: DeepLabV3 R101-D8 teaches DeepLabV3 R18-D8 on Cityscapes, on square crops; last stage.
# Teacher: mmseg's, of 80k iterations at 512 x 1024 (80.20 mIoU).
# Student: ../_base_/students/deeplabv3_r18_40k_cityscapes_512x512.py, which trains it alone.
# Schedule: mmseg's 40k iterations, lr 0.01, of 8 x 2 images; crops of 512 x 512. Another batch size: --auto-scale-lr.
# Published: the abstract has no number for this pair.
# Inferred: crops, schedule and alpha are those of MGD's code, whose student alone has 73.20 and with PSPNet R101 as its
#     teacher 76.31. mmseg's own student of 80k iterations at 512 x 1024 has 76.70 without a teacher. MGD also distils
#     the logits, which is left out. The connector has no alignment layer and the teacher's width.
#     Sweep alpha by x 0.5, 2 and 5: MGD masks its map, which CWT does not, and that changes the scale of the loss.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['../_base_/students/deeplabv3_r18_40k_cityscapes_512x512.py', '_base_/wiring/last_stage.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='mmseg::deeplabv3/deeplabv3_r101-d8_4xb2-80k_cityscapes-512x1024.py',
    teacher_ckpt='https://download.openmmlab.com/mmsegmentation/v0.5/deeplabv3/deeplabv3_r101-d8_512x1024_80k_cityscapes/deeplabv3_r101-d8_512x1024_80k_cityscapes_20200606_113503-9e428899.pth',
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        connectors=dict(stage=dict(type='ChannelMLPConnector', in_channels=512, out_channels=2048)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=2e-5)),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
