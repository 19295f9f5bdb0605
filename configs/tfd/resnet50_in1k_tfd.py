# TFD: ResNet-50 on ImageNet; its deep stages teach its shallow ones, and there is no teacher.
# Student: _base_/students/resnet50_in1k.py, which trains it alone.
# Schedule: mmpretrain's, 100 epochs of 8 x 32 images, lr 0.1, a tenth from 30, 60 and 90, since the authors' is not
#     known; TFD grows from 1/20 in the first epoch to 1 in the 20th.
# Settings: all pairs of the four stages; which the authors took is not known. It weighs 5e-3, the default of the
#     released code and the middle of what its first scripts try (1e-3, 5e-3, 1e-2).
# Published top-1 (authors' abstract): none for TFD, +1.84 for Tf-FD over the student alone, which is not given;
#     mmpretrain's zoo: the student alone 76.55.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['_base_/students/resnet50_in1k.py', '_base_/stages/resnet.py']

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
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_tfd', schedule='linear', begin=-1, end=19)]
custom_imports = dict(imports=['mmkd_ext'])
