# KD++: ResNet-152 teaches ResNet-50 on ImageNet.
# Teacher: mmpretrain's weights (78.48); the authors' are torchvision's (78.31).
# Class means: tools/class_means.py configs/nd/resnet152_resnet50_in1k.py \
#     --out work_dirs/class_means/resnet152_in1k.safetensors
# Student: _base_/students/resnet50_in1k.py, which trains it alone.
# Schedule: 100 epochs of 8 x 64 images, lr 0.2, a tenth from 30, 60 and 90; KD grows from 0 over 5.
# Settings: weights are those of ResNet-152 and ResNet-18, since the released code names none for this pair; no
#     projection, as both embeddings have 2048 channels (the released code projects 512).
# Published: Papers with Code lists a run of KD++ for this pair; its number was not at hand. mmpretrain's zoo: the
#     student alone 76.55, by another schedule.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['_base_/pairs/resnet152_resnet50_in1k.py', '_base_/wiring/kd.py']

model = dict(
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        distill_losses=dict(
            loss_kd=dict(type='KDLoss', tau=1.0, loss_weight=4.0),
            loss_nd=dict(
                type='NDLoss', class_means='work_dirs/class_means/resnet152_in1k.safetensors', loss_weight=2.0
            ),
        ),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', end=5)]
