# KD++: ResNet-32x4 teaches ShuffleNetV2 on CIFAR-100.
# Teacher: mdistiller's; SRC is resnet32x4_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet32x4.pth --arch resnet32x4
# Class means: tools/class_means.py configs/nd/resnet32x4_shufflenetv2_cifar100.py \
#     --out work_dirs/class_means/resnet32x4_cifar100.safetensors
# Student: _base_/students/shufflenetv2_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.02, a tenth from 150, 180 and 210; KD grows from 0 over 20.
# Published top-1 (authors' README): student alone 71.82, KD 74.45, KD++ 76.42; teacher 79.42.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['_base_/pairs/resnet32x4_shufflenetv2_cifar100.py', '_base_/wiring/kd_projected.py']

model = dict(
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        connectors=dict(embedding=dict(type='EmbedConnector', in_channels=1024, out_channels=256)),
        distill_losses=dict(
            loss_kd=dict(type='KDLoss', tau=4.0, loss_weight=4.0),
            loss_nd=dict(
                type='NDLoss', class_means='work_dirs/class_means/resnet32x4_cifar100.safetensors', loss_weight=0.5
            ),
        ),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', end=20)]
