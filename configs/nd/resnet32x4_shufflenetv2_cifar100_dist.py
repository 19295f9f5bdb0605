# DIST++: ResNet-32x4 teaches ShuffleNetV2 on CIFAR-100.
# Teacher: mdistiller's; SRC is resnet32x4_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet32x4.pth --arch resnet32x4
# Class means: tools/class_means.py configs/nd/resnet32x4_shufflenetv2_cifar100_dist.py \
#     --out work_dirs/class_means/resnet32x4_cifar100.safetensors
# Student: _base_/students/shufflenetv2_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.02, a tenth from 150, 180 and 210; DIST grows from 0 over 20.
# Published top-1 (authors' README): student alone 71.82, DIST 76.08, DIST++ 76.64; teacher 79.42.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = 'resnet32x4_shufflenetv2_cifar100.py'

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_kd=dict(_delete_=True, type='DISTLoss', tau=4.0, loss_weight=3.0),
            loss_nd=dict(loss_weight=4.0),
        )
    )
)
