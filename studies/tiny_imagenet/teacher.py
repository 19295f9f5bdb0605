# ResNet-20 for 100 classes: the published weights for CIFAR-10 but for the last layer, trained on 13,000 images of
# Tiny-ImageNet that the student does not see. Make the data with: python studies/tiny_imagenet/prepare.py --images DIR
# tools/train.py studies/tiny_imagenet/teacher.py --work-dir work_dirs/tiny_imagenet/teacher
_base_ = '../cifar10/teacher.py'

data_root = 'data/tiny_imagenet_32'
epochs, steps = 12, 203
data_preprocessor = dict(num_classes=100)
model = dict(head=dict(num_classes=100))
train_dataloader = dict(dataset=dict(dataset=dict(data_root=data_root)))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=0.1))
param_scheduler = dict(T_max=epochs * steps)
train_cfg = dict(max_epochs=epochs)
