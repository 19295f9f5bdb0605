# mdistiller's ResNet-110 on CIFAR-100; SRC is resnet110_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
# tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet110.pth --arch resnet110
teacher = dict(
    teacher='{{fileDirname}}/../../teachers/resnet110_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/resnet110.pth',
)
