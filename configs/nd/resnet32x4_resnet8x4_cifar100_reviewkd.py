# ReviewKD++: ResNet-32x4 teaches ResNet-8x4 on CIFAR-100.
# Compared: the student's stages with the teacher's before their last ReLU, and the embeddings.
# Teacher: mdistiller's; SRC is resnet32x4_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet32x4.pth --arch resnet32x4
# Class means: tools/class_means.py configs/nd/resnet32x4_resnet8x4_cifar100_reviewkd.py \
#     --out work_dirs/class_means/resnet32x4_cifar100.safetensors
# Student: _base_/students/resnet8x4_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.1, a tenth from 150, 180 and 210; ReviewKD grows from 0 over 20.
# Published top-1 (authors' README): student alone 72.50, ReviewKD 75.63, ReviewKD++ 76.07; teacher 79.42.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['resnet32x4_resnet8x4_cifar100.py', '_base_/reviewkd/resnet32x4_resnet8x4_cifar100.py']

model = dict(
    distiller=dict(
        _base_.reviewkd,
        distill_losses=dict(
            loss_kd=dict(_delete_=True, type='HCLLoss', loss_weight=8.0),
            loss_nd=dict(loss_weight=1.0),
        ),
    )
)
