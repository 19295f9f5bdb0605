# Tf-FD+KD: WRN-40-2 teaches WRN-16-2 on CIFAR-100, beside its own deep stages.
# Teacher: mdistiller's; SRC is wrn_40_2_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/wrn40_2.pth --arch wrn_40_2
# Student: _base_/students/wrn16_2_cifar100.py, which trains it alone.
# Schedule: 240 epochs of batches of 128, lr 0.1, a tenth from 150, 180 and 210; all three losses grow from 1/20 in
#     the first epoch to 1 in the 20th.
# Settings: Tf-FD as in wrn16_2_cifar100_tffd.py; KD at temperature 4 weighs 1. So the released code adds it, though
#     as released that mode stops with an error.
# Published top-1 (authors' poster): student alone 73.26, Tf-FD 74.33, KD 74.92, Tf-FD+KD 75.68.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['wrn16_2_cifar100_tffd.py', '_base_/wiring/kd.py']

model = dict(
    type='mmkd_ext.SingleTeacherDistill',
    teacher='{{fileDirname}}/../_base_/teachers/wrn40_2_cifar100.py',
    teacher_ckpt='checkpoints/cifar100/wrn40_2.pth',
    distiller=_base_.kd,
)
custom_hooks = [_base_.warm_up]
