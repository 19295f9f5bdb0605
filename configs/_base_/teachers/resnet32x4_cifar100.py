# mdistiller's ResNet-32x4 on CIFAR-100; SRC is resnet32x4_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
# tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet32x4.pth --arch resnet32x4
teacher = dict(
    teacher='{{fileDirname}}/../../teachers/resnet32x4_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/resnet32x4.pth',
)
