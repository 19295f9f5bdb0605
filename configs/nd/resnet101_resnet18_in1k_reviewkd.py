# ReviewKD++: ResNet-101 teaches ResNet-18 on ImageNet.
# Compared: what goes into each stage's last ReLU (a ResNet block runs one ReLU two or three times), and embeddings.
# Teacher: mmpretrain's weights (77.97); the authors' are torchvision's (77.37).
# Class means: tools/class_means.py configs/nd/resnet101_resnet18_in1k_reviewkd.py \
#     --out work_dirs/class_means/resnet101_in1k.safetensors
# Student: _base_/students/resnet18_in1k.py, which trains it alone.
# Schedule: 100 epochs of 8 x 64 images, lr 0.2, a tenth from 30, 60 and 90; ReviewKD grows from 0 over 5.
# Published top-1 (authors' README, an older one): student alone 69.76, ReviewKD 70.98, ReviewKD++ 71.77; teacher 77.37.
#     Means of five trials (picture of the last README): ReviewKD 70.95, ReviewKD++ 71.79.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['resnet101_resnet18_in1k.py', '_base_/reviewkd/resnet101_resnet18_in1k.py']

model = dict(
    distiller=dict(
        _base_.reviewkd,
        distill_losses=dict(
            loss_kd=dict(_delete_=True, type='HCLLoss', loss_weight=3.0),
            loss_nd=dict(loss_weight=1.0),
        ),
    )
)
