# CIFAR-100 with the schedule of the Tf-FD code. Its runs start from one saved initialisation with seed 2; here a run's
# own seed decides.
_base_ = '../../_base_/cifar100.py'

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='RandomCrop', crop_size=32, padding=4, padding_mode='reflect'),
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            dict(type='PackInputs'),
        ]
    )
)
