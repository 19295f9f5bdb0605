# ReviewKD++: ResNet-50 teaches MobileNetV1 on ImageNet.
# Compared: what goes into each stage's last ReLU (a ResNet block runs one ReLU two or three times), and embeddings.
# Teacher: mmpretrain's weights (76.55); the authors' are torchvision's (76.16).
# Class means: tools/class_means.py configs/nd/resnet50_mobilenetv1_in1k_reviewkd.py \
#     --out work_dirs/class_means/resnet50_in1k.safetensors
# Student: _base_/students/mobilenetv1_in1k.py, which trains it alone.
# Schedule: 100 epochs of 8 x 64 images, lr 0.2, a tenth from 30, 60 and 90; ReviewKD grows from 0 over 5.
# Published top-1 (authors' README): student alone 68.87, ReviewKD 72.56, ReviewKD++ 72.96; teacher 76.16.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = ['resnet50_mobilenetv1_in1k.py', '_base_/reviewkd/resnet50_mobilenetv1_in1k.py']

model = dict(
    distiller=dict(
        _base_.reviewkd,
        distill_losses=dict(
            loss_kd=dict(_delete_=True, type='HCLLoss', loss_weight=8.0),
            loss_nd=dict(loss_weight=4.0),
        ),
    )
)
