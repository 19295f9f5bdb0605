# KD++: ResNet-56 teaches ResNet-20 on CIFAR-100.
# Teacher: mdistiller's; SRC is resnet56_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet56.pth --arch resnet56
# Class means: tools/class_means.py configs/nd/resnet56_resnet20_cifar100.py \
#     --out work_dirs/class_means/resnet56_cifar100.safetensors
# Student: _base_/students/resnet20_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.1, a tenth from 150, 180 and 210; KD grows from 0 over 20.
# Published top-1 (authors' README): student alone 69.06, KD 70.66, KD++ 72.53; teacher 72.34.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['_base_/pairs/resnet56_resnet20_cifar100.py', '_base_/wiring/kd.py']

model = dict(
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        distill_losses=dict(
            loss_kd=dict(type='KDLoss', tau=4.0, loss_weight=1.0),
            loss_nd=dict(
                type='NDLoss', class_means='work_dirs/class_means/resnet56_cifar100.safetensors', loss_weight=2.0
            ),
        ),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', end=20)]
