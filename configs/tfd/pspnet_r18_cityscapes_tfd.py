# TFD: PSPNet-R18 on Cityscapes; its deep stages teach its shallow ones, and there is no teacher.
# Student: _base_/students/pspnet_r18_cityscapes.py, which trains it alone.
# Schedule: mmseg's, 80k steps of 4 x 2 images, lr 0.01; TFD grows to 1 over the first 7438 steps, which are 20
#     epochs of the 2975 images.
# Settings: all pairs of the four stages; which the authors took is not known, nor for segmentation their weights. It
#     weighs 5e-3, the default of the released code and the middle of what its first scripts try (1e-3, 5e-3, 1e-2)
#     for CIFAR-100.
# Published mIoU: none for TFD; mmseg's zoo: the student alone 74.87.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['_base_/students/pspnet_r18_cityscapes.py', '_base_/stages/resnet.py']

model = dict(
    _delete_=True,
    type='mmkd_ext.SelfDistill',
    architecture=_base_.model,
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=_base_.stages,
        distill_losses=dict(loss_tfd=dict(type='TFDLoss', loss_weight=5e-3)),
        loss_forward_mappings=dict(loss_tfd=dict(features=_base_.features)),
    ),
)
custom_hooks = [
    dict(type='mmkd_ext.LossWeightHook', loss='loss_tfd', schedule='linear', begin=-1, end=7437, by_epoch=False)
]
custom_imports = dict(imports=['mmkd_ext'])
