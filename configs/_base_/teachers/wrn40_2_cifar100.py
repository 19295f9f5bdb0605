# mdistiller's WRN-40-2 on CIFAR-100; configs/teachers/README.md has the command that converts its weights.
teacher = dict(
    teacher='{{fileDirname}}/../../teachers/wrn40_2_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/wrn40_2.pth',
)
