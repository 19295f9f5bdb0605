# mdistiller's ResNet-50 on CIFAR-100; SRC is ResNet50_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
# tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet50.pth --arch ResNet50
teacher = dict(
    teacher='{{fileDirname}}/../../teachers/resnet50_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/resnet50.pth',
)
