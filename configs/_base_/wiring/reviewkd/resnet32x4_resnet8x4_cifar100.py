# ReviewKD where ResNet-32x4 teaches ResNet-8x4 on CIFAR-100: the student's stages with the teacher's before their last
# ReLU, and the embeddings.
_base_ = '../classifier.py'

distiller = dict(
    student_recorders={f'stage{i}': dict(type='ModuleOutputs', source=f'backbone.layer{i}') for i in (1, 2, 3)},
    teacher_recorders={f'stage{i}': dict(type='ModuleInputs', source=f'backbone.layer{i}.4.relu') for i in (1, 2, 3)},
)
abf = dict(type='ABFConnector', in_channels=[64, 128, 256, 256], out_channels=[64, 128, 256, 256])
levels = ['stage1', 'stage2', 'stage3', 'embedding']
stages = dict(
    student=dict(from_student=True, recorder=levels, data_idx=[None, None, None, 0], connector='abf'),
    teacher=dict(from_student=False, recorder=levels, data_idx=0),
)
