# mdistiller's ResNet-110 on CIFAR-100; configs/teachers/README.md has the command that converts its weights.
teacher = dict(
    teacher='{{fileDirname}}/../../teachers/resnet110_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/resnet110.pth',
)
