# NORM, plain form (the transform has no shortcut): ResNet-56 teaches ResNet-20 on CIFAR-100.
# Teacher: mdistiller's; SRC is resnet56_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet56.pth --arch resnet56
# Student: _base_/students/resnet20_cifar100.py, which trains it alone.
# Schedule: 241 epochs of batches of 64, lr 0.05, a tenth from 151, 181 and 211, as the released loop has it; NORM
#     x 0.1, 0.5 from 10, 1 from 20, 0.5 from 180 and 0.1 from 210.
# Settings: as released, with logits normalised (x 2.5) for cross-entropy. It weighs 1/8, of the authors' sweep from
#     1/16 to 1/2, whose winner is not recorded.
# Published top-1 (authors' README): student alone 69.53, KD 70.66, NORM 71.35, plain form 70.70; teacher 72.34.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = 'resnet56_resnet20_cifar100.py'

model = dict(architecture=dict(neck=dict(residual=False)))
