# DKD++: ResNet-56 teaches ResNet-20 on CIFAR-100.
# Teacher: mdistiller's; SRC is resnet56_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet56.pth --arch resnet56
# Class means: tools/class_means.py configs/nd/resnet56_resnet20_cifar100_dkd.py \
#     --out work_dirs/class_means/resnet56_cifar100.safetensors
# Student: _base_/students/resnet20_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.1, a tenth from 150, 180 and 210; DKD grows from 0 over 20.
# Published top-1 (authors' README): student alone 69.06, DKD 71.97, DKD++ 72.16; teacher 72.34.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = 'resnet56_resnet20_cifar100.py'

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_kd=dict(_delete_=True, type='DKDLoss', tau=4.0, alpha=2.5, beta=4.0),
            loss_nd=dict(loss_weight=3.5),
        ),
        loss_forward_mappings=dict(loss_kd=dict(labels=dict(from_student=True, recorder='labels', data_idx=1))),
    )
)
