# mdistiller's VGG-13 on CIFAR-100; SRC is vgg13_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
# tools/convert_mdistiller.py SRC checkpoints/cifar100/vgg13.pth --arch vgg13
teacher = dict(
    teacher='{{fileDirname}}/../../teachers/vgg13_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/vgg13.pth',
)
