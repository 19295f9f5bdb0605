# ReviewKD++: ResNet-50 teaches MobileNetV2 on CIFAR-100.
# Compared: the student's stages with the teacher's before their last ReLU, and the embeddings.
# Teacher: mdistiller's; SRC is ResNet50_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet50.pth --arch ResNet50
# Class means: tools/class_means.py configs/nd/resnet50_mobilenetv2_cifar100_reviewkd.py \
#     --out work_dirs/class_means/resnet50_cifar100.safetensors
# Student: _base_/students/mobilenetv2_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.02, a tenth from 150, 180 and 210; ReviewKD grows from 0 over 20.
# Published top-1 (authors' README): student alone 64.60, ReviewKD 69.89, ReviewKD++ 70.45; teacher 79.34.
#     The released code does not run for this pair; channels and sizes are those of ReviewKD's own code.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['resnet50_mobilenetv2_cifar100.py', '_base_/reviewkd/resnet50_mobilenetv2_cifar100.py']

model = dict(
    distiller=dict(
        _base_.reviewkd,
        distill_losses=dict(
            loss_kd=dict(_delete_=True, type='HCLLoss', loss_weight=6.0),
            loss_nd=dict(loss_weight=2.0),
        ),
    )
)
