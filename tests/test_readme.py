"""The README's example is a config that builds and trains; tests/docs sees that what it names is there."""

import re
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from support import ROOT

TEXT = (ROOT / 'README.md').read_text()
EXAMPLE = re.search(r'```python\n(.*?)```', TEXT, re.DOTALL).group(1)


def test_it_is_short() -> None:
    lines = TEXT.splitlines()
    assert len(lines) < 100
    assert [line for line in lines if len(line) > 120] == []
    assert len(re.findall(r'^\|---', TEXT, re.MULTILINE)) == 1, 'tables'
    assert len(re.findall(r'^!\[', TEXT, re.MULTILINE)) == 1, 'pictures'
    assert len(EXAMPLE.splitlines()) <= 12


def test_the_example_config_builds_and_its_loss_reaches_the_student(tmp_path: Path) -> None:
    from mmdet.testing import demo_mm_inputs

    (tmp_path / 'my_faster_rcnn_r50.py').write_text("_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'\n")
    path = tmp_path / 'my_distillation.py'
    path.write_text(EXAMPLE)
    cfg = Config.fromfile(path)
    assert cfg.default_scope == 'mmdet'
    assert cfg.optim_wrapper.optimizer.lr == 0.02
    reloaded = tmp_path / 'dumped.py'
    cfg.dump(reloaded)
    assert Config.fromfile(reloaded).model == cfg.model
    cfg.merge_from_dict({'model.teacher_ckpt': None, 'model.teacher_strict': False})
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    data = model.data_preprocessor(demo_mm_inputs(1, [[3, 64, 64]], num_classes=80), True)
    model.train()
    loss = model(**data, mode='loss')['distill.loss_cwt']
    loss.backward()
    assert loss > 0
    assert all(conv.conv.weight.grad.abs().sum() > 0 for conv in model.neck.fpn_convs[:4])
    assert torch.is_tensor(model.distiller.connectors.mlp[3].mlp[0].weight.grad)
