# mdistiller's ResNet-56 on CIFAR-100; SRC is resnet56_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
# tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet56.pth --arch resnet56
teacher = dict(
    teacher='{{fileDirname}}/../../teachers/resnet56_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/resnet56.pth',
)
