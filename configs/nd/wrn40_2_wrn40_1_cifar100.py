# KD++: WRN-40-2 teaches WRN-40-1 on CIFAR-100.
# Teacher: mdistiller's; SRC is wrn_40_2_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/wrn40_2.pth --arch wrn_40_2
# Class means: tools/class_means.py configs/nd/wrn40_2_wrn40_1_cifar100.py \
#     --out work_dirs/class_means/wrn40_2_cifar100.safetensors
# Student: _base_/students/wrn40_1_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.1, a tenth from 150, 180 and 210; KD grows from 0 over 20.
# Published top-1 (authors' README): student alone 71.98, KD 73.54, KD++ 74.59; teacher 75.61.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['_base_/pairs/wrn40_2_wrn40_1_cifar100.py', '_base_/wiring/kd_projected.py']

model = dict(
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        connectors=dict(embedding=dict(type='EmbedConnector', in_channels=64, out_channels=128)),
        distill_losses=dict(
            loss_kd=dict(type='KDLoss', tau=4.0, loss_weight=1.0),
            loss_nd=dict(
                type='NDLoss', class_means='work_dirs/class_means/wrn40_2_cifar100.safetensors', loss_weight=1.5
            ),
        ),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', end=20)]
