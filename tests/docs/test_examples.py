"""The configs on the pages: each builds, and each of its losses trains the student."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from support import ROOT

from mmkd_ext.class_means import ClassMeans

CLASSIFIER = 'mmpretrain::resnet/resnet18_8xb32_in1k.py'
PAIR = """
model = dict(
    _delete_=True, type='mmkd_ext.SingleTeacherDistill', architecture=_base_.model, teacher={teacher!r},
    distiller=dict(dict(type='ConfigurableDistiller'), **distiller))
"""
DETECTORS = {
    'cwt': 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    'mmrazor': 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    'recorders': 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
}


def block(page: str) -> str:
    """The first Python block of a page."""
    return re.search(r'```python\n(.*?)```', (ROOT / 'docs' / f'{page}.md').read_text(), re.DOTALL).group(1)


def losses(tmp_path: Path, page: str, base: str) -> dict[str, torch.Tensor]:
    """What one batch gives of a page's config, on random weights."""
    text = block(page)
    if not re.search('^model = ', text, re.MULTILINE):
        text += PAIR.format(teacher=base)
    path = tmp_path / 'config.py'
    path.write_text(f'_base_ = {base!r}\n{text}')
    cfg = Config.fromfile(path)
    if 'teacher' in cfg.model:
        cfg.model.update(teacher_ckpt=None, teacher_strict=False)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model).train()
        if cfg.default_scope == 'mmdet':
            from mmdet.testing import demo_mm_inputs

            data = model.data_preprocessor(demo_mm_inputs(1, [[3, 64, 64]], num_classes=80), True)
        else:
            from mmpretrain.structures import DataSample

            samples = [DataSample().set_gt_label(i) for i in range(2)]
            data = dict(inputs=torch.randn(2, 3, 64, 64), data_samples=samples)
        return {name: loss for name, loss in model(**data, mode='loss').items() if name.startswith('distill.')}


@pytest.mark.parametrize(
    ('page', 'names'),
    [
        ('methods/kd', {'distill.loss_kd'}),
        ('methods/nd', {'distill.loss_nd'}),
        ('methods/norm', {'distill.loss_norm'}),
        ('methods/tfd', {'distill.loss_tfd', 'distill.loss_intra'}),
        pytest.param('methods/cwt', {'distill.loss_cwt'}, marks=pytest.mark.slow),
        pytest.param('methods/mmrazor', {'distill.loss_pkd'}, marks=pytest.mark.slow),
        pytest.param('recorders', {'distill.loss_cwd'}, marks=pytest.mark.slow),
    ],
)
def test_the_config_of_a_page_trains(page: str, names: set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ClassMeans(torch.rand(1000, 512), torch.ones(1000, dtype=torch.long)).save(tmp_path / 'means.safetensors')
    found = losses(tmp_path, page, DETECTORS.get(page.rpartition('/')[2], CLASSIFIER))
    assert found.keys() == names
    assert all(loss.requires_grad and loss > 0 for loss in found.values())


@pytest.mark.slow
def test_a_detector_and_a_foundation_model_teach_one_student(tmp_path: Path) -> None:
    """The config of the page on several teachers, as it stands there but for the weights; of two toolboxes."""
    from mmdet.testing import demo_mm_inputs

    page = (ROOT / 'docs' / 'several_teachers.md').read_text()
    text = re.search(r'```python title="my_two_teachers.py"\n(.*?)```', page, re.DOTALL).group(1)
    base = "_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'\n"
    (tmp_path / 'my_faster_rcnn_r50.py').write_text(base)
    (tmp_path / 'my_two_teachers.py').write_text(text)
    cfg = Config.fromfile(tmp_path / 'my_two_teachers.py')
    for teacher in cfg.model.teachers.values():
        teacher.update(teacher_ckpt=None, teacher_strict=False)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model).train()
    data = model.data_preprocessor(demo_mm_inputs(1, [[3, 64, 64]], num_classes=80), True)
    found = model(**data, mode='loss')
    total = found['distill.loss_kd'] + found['distill.loss_cosine']
    total.backward()
    assert min(found['distill.loss_kd'], found['distill.loss_cosine']) > 0
    assert model.backbone.layer3[0].conv1.weight.grad.abs().sum() > 0
    assert model.roi_head.bbox_head.fc_cls.weight.grad.abs().sum() > 0
