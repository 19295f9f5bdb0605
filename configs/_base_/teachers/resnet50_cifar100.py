# mdistiller's ResNet-50 on CIFAR-100; configs/teachers/README.md has the command that converts its weights.
teacher = dict(
    teacher='{{fileDirname}}/../../teachers/resnet50_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/resnet50.pth',
)
