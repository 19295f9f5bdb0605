# CWT: PSPNet R101-D8 teaches PSPNet R18-D8 on Cityscapes; last stage.
# Teacher: mmseg's, of 80k iterations at 512 x 1024 (79.76 mIoU).
# Student: ../_base_/students/pspnet_r18_80k_cityscapes.py, which trains it alone.
# Schedule: mmseg's 80k iterations, lr 0.01, of 4 x 2 images; crops of 512 x 1024. Another batch size: --auto-scale-lr.
# Published: the abstract has no number for this setting. mmseg's zoo: the student alone 74.87 mIoU.
#     ../baselines has FitNet, CWD, PKD and MGD for the same pair and schedule.
# Inferred: alpha is that of MGD's code, at 512 x 512 (a crop here has twice the positions that are summed). The
#     connector has no alignment layer and the teacher's width.
#     Sweep alpha by x 0.5, 2 and 5: MGD masks its map, which CWT does not, and that changes the scale of the loss.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['../_base_/students/pspnet_r18_80k_cityscapes.py', '_base_/wiring/last_stage.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    teacher='mmseg::pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py',
    teacher_ckpt='https://download.openmmlab.com/mmsegmentation/v0.5/pspnet/pspnet_r101-d8_512x1024_80k_cityscapes/pspnet_r101-d8_512x1024_80k_cityscapes_20200606_112211-e1e1100f.pth',
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        connectors=dict(stage=dict(type='ChannelMLPConnector', in_channels=512, out_channels=2048)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=2e-5)),
    ),
)
custom_imports = dict(imports=['mmkd_ext'])
