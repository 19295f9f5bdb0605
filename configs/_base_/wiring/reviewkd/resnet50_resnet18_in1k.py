# ReviewKD where ResNet-50 teaches ResNet-18 on ImageNet: the input of each stage's last ReLU (a block runs one ReLU two
# or three times), and the embeddings.
_base_ = '../classifier.py'

distiller = dict(
    student_recorders={
        f'stage{i}': dict(type='ModuleInputs', source=f'backbone.layer{i}.1.relu') for i in (1, 2, 3, 4)
    },
    teacher_recorders={
        f'stage{i}': dict(type='ModuleInputs', source=f'backbone.layer{i}.{block}.relu')
        for i, block in ((1, 2), (2, 3), (3, 5), (4, 2))
    },
)
abf = dict(type='ABFConnector', in_channels=[64, 128, 256, 512, 512], out_channels=[256, 512, 1024, 2048, 2048])
levels = ['stage1', 'stage2', 'stage3', 'stage4', 'embedding']
stages = dict(
    student=dict(from_student=True, recorder=levels, record_idx=[1, 1, 1, 1, 0], data_idx=0, connector='abf'),
    teacher=dict(from_student=False, recorder=levels, record_idx=[2, 2, 2, 2, 0], data_idx=0),
)
