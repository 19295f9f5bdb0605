# ResNet-20 with the published weights, fine-tuned on 17,500 JPEG images that the student does not see; prepare.py makes
# what it needs.
# tools/train.py studies/cifar10/teacher.py --work-dir work_dirs/cifar10/teacher
_base_ = 'student.py'

epochs, steps = 3, 273
model = dict(backbone=dict(depth=20, shortcut='pad'))
load_from = 'work_dirs/cifar10/resnet20_published.pth'
train_dataloader = dict(dataset=dict(dataset=dict(data_prefix='teacher')))
optim_wrapper = dict(optimizer=dict(lr=0.02))
param_scheduler = dict(T_max=epochs * steps)
train_cfg = dict(max_epochs=epochs)
