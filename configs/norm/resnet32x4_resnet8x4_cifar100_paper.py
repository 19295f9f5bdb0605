# NORM without the released code's normalised logits: ResNet-32x4 teaches ResNet-8x4 on CIFAR-100.
# Teacher: mdistiller's; SRC is resnet32x4_vanilla/ckpt_epoch_240.pth of its cifar_teachers.tar:
#     tools/convert_mdistiller.py SRC checkpoints/cifar100/resnet32x4.pth --arch resnet32x4
# Student: _base_/students/resnet8x4_cifar100.py, which trains it alone.
# Schedule: 241 epochs of batches of 64, lr 0.05, a tenth from 151, 181 and 211, as the released loop has it; NORM
#     x 0.1, 0.5 from 10, 1 from 20, 0.5 from 180 and 0.1 from 210.
# Settings: those of the released code but for the normalised logits, of which the abstract does not tell (the rest of
#     the paper was not at hand).
# Published top-1 (authors' README): student alone 72.87, KD 73.33, NORM 76.49; teacher 79.42. With or without
#     them is not said.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = 'resnet32x4_resnet8x4_cifar100.py'

model = dict(architecture=dict(head=dict(loss=dict(_delete_=True, type='CrossEntropyLoss', loss_weight=0.1))))
