# mdistiller's ResNet-32x4 on CIFAR-100; configs/teachers/README.md has the command that converts its weights.
teacher = dict(
    teacher='{{fileDirname}}/../../teachers/resnet32x4_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/resnet32x4.pth',
)
