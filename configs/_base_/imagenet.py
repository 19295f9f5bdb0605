# ImageNet and the schedule of the ND code: 8 GPUs x 64 images.
_base_ = ['mmpretrain::_base_/datasets/imagenet_bs64.py', 'mmpretrain::_base_/default_runtime.py']

optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.2, momentum=0.9, weight_decay=1e-4, nesterov=True))
param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[30, 60, 90], gamma=0.1)
train_cfg = dict(by_epoch=True, max_epochs=100, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(enable=False, base_batch_size=512)

# The authors report the best epoch.
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2, save_best='auto'))
custom_imports = dict(imports=['mmkd_ext'])
