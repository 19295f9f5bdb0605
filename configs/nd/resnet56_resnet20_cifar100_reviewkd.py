# ReviewKD++: ResNet-56 teaches ResNet-20 on CIFAR-100.
# Compared: the student's stages with the teacher's before their last ReLU, and the embeddings.
# Teacher: mdistiller's; SRC is resnet56_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet56.pth --arch resnet56
# Class means: tools/class_means.py configs/nd/resnet56_resnet20_cifar100_reviewkd.py \
#     --out work_dirs/class_means/resnet56_cifar100.safetensors
# Student: _base_/students/resnet20_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.1, a tenth from 150, 180 and 210; ReviewKD grows from 0 over 20.
# Published top-1 (authors' README): student alone 69.06, ReviewKD 71.89, ReviewKD++ 72.05; teacher 72.34.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['resnet56_resnet20_cifar100.py', '_base_/reviewkd/resnet56_resnet20_cifar100.py']

model = dict(
    distiller=dict(
        _base_.reviewkd,
        distill_losses=dict(
            loss_kd=dict(_delete_=True, type='HCLLoss', loss_weight=1.2),
            loss_nd=dict(loss_weight=1.0),
        ),
    )
)
