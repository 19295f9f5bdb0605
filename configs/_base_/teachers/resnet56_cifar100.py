# mdistiller's ResNet-56 on CIFAR-100; configs/teachers/README.md has the command that converts its weights.
teacher = dict(
    teacher='{{fileDirname}}/../../teachers/resnet56_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/resnet56.pth',
)
