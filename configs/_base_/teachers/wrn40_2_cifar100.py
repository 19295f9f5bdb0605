# mdistiller's WRN-40-2 on CIFAR-100; SRC is wrn_40_2_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
# tools/convert_mdistiller.py SRC checkpoints/cifar100/wrn40_2.pth --arch wrn_40_2
teacher = dict(
    teacher='{{fileDirname}}/../../teachers/wrn40_2_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/wrn40_2.pth',
)
