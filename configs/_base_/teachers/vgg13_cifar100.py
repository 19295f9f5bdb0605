# mdistiller's VGG-13 on CIFAR-100; configs/teachers/README.md has the command that converts its weights.
teacher = dict(
    teacher='{{fileDirname}}/../../teachers/vgg13_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/vgg13.pth',
)
