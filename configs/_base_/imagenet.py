# The settings that the released codes' ImageNet schedules share.
optim_wrapper = dict(optimizer=dict(type='SGD', momentum=0.9, weight_decay=1e-4))
train_cfg = dict(by_epoch=True, max_epochs=100, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(enable=False)
custom_imports = dict(imports=['mmkd_ext'])
