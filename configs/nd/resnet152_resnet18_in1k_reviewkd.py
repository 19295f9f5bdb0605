# ReviewKD++: ResNet-152 teaches ResNet-18 on ImageNet.
# Compared: what goes into each stage's last ReLU (a ResNet block runs one ReLU two or three times), and embeddings.
# Teacher: mmpretrain's weights (78.48); the authors' are torchvision's (78.31).
# Class means: tools/class_means.py configs/nd/resnet152_resnet18_in1k_reviewkd.py \
#     --out work_dirs/class_means/resnet152_in1k.safetensors
# Student: _base_/students/resnet18_in1k.py, which trains it alone.
# Schedule: 100 epochs of 8 x 64 images, lr 0.2, a tenth from 30, 60 and 90; ReviewKD grows from 0 over 5.
# Published top-1 (authors' README): student alone 69.76, ReviewKD 71.36, ReviewKD++ 71.79; teacher 78.31.
# Checked here: built, and one training step on random data; not trained to the end.
_base_ = 'resnet152_resnet18_in1k.py'

model = dict(
    distiller=dict(
        student_recorders={
            f'stage{i}': dict(type='ModuleInputs', source=f'backbone.layer{i}.{block}.relu')
            for i, block in enumerate([1, 1, 1, 1], start=1)
        },
        teacher_recorders={
            f'stage{i}': dict(type='ModuleInputs', source=f'backbone.layer{i}.{block}.relu')
            for i, block in enumerate([2, 7, 35, 2], start=1)
        },
        connectors=dict(
            abf=dict(
                type='ABFConnector', in_channels=[64, 128, 256, 512, 512], out_channels=[256, 512, 1024, 2048, 2048]
            )
        ),
        distill_losses=dict(
            loss_kd=dict(_delete_=True, type='HCLLoss', loss_weight=3.0),
            loss_nd=dict(loss_weight=1.0),
        ),
        loss_forward_mappings=dict(
            loss_kd=dict(
                student=dict(
                    recorder=['stage1', 'stage2', 'stage3', 'stage4', 'embedding'],
                    record_idx=[1, 1, 1, 1, 0],
                    data_idx=0,
                    connector='abf',
                ),
                teacher=dict(
                    recorder=['stage1', 'stage2', 'stage3', 'stage4', 'embedding'],
                    record_idx=[2, 2, 2, 2, 0],
                    data_idx=0,
                ),
            )
        ),
    )
)
