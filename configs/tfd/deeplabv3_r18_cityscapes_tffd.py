# Tf-FD: DeepLabV3-R18 on Cityscapes; TFD, and in each stage the salient channels teach the redundant ones.
# Student: _base_/students/deeplabv3_r18_cityscapes.py, which trains it alone.
# Schedule: mmseg's, 80k steps of 4 x 2 images, lr 0.01; both losses grow to 1 over the first 7438 steps, which are
#     20 epochs of the 2975 images.
# Settings: all pairs of the four stages; which the authors took is not known, nor for segmentation their weights.
#     The weights are 5e-3 and 4e-4, the defaults of the released code; the salient half is detached, as in its first
#     version (the last detaches neither).
# Published mIoU (a third party's, in the authors' README): student alone 69.19, Tf-FD 70.83, by a recipe that is not
#     given; mmseg's zoo: the student alone 76.70.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = 'deeplabv3_r18_cityscapes_tfd.py'

model = dict(
    distiller=dict(
        distill_losses=dict(loss_intra=dict(type='IntraTFDLoss', loss_weight=4e-4)),
        loss_forward_mappings=dict(loss_intra=dict(features=_base_.features)),
    )
)
custom_hooks = [
    dict(
        type='mmkd_ext.LossWeightHook',
        loss=['loss_tfd', 'loss_intra'],
        schedule='linear',
        begin=-1,
        end=7437,
        by_epoch=False,
    )
]
