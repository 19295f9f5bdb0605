"""MMRazor's own configs give the same losses in its engine and in ours."""

import copy
import importlib.util
from pathlib import Path

import pytest
import torch
from config_checks import calibrate
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import set_random_seed
from support import ROOT, load_tool

from mmkd_ext.compat import import_mmrazor

CONFIG = 'configs/distill/mmdet/cwd/cwd_fpn_frcnn_r101_frcnn_r50_1x_coco.py'
NAMES = {f'faster_rcnn_{rest}': f'faster-rcnn_{rest}' for rest in ('r50_fpn_1x_coco', 'r101_fpn_2x_coco')}


def razor_config() -> dict:
    """The `model` of MMRazor's config, its two config paths brought to mmdet 3's names and without the checkpoint."""
    root = Path(importlib.util.find_spec('mmrazor').submodule_search_locations[0])
    model = Config.fromfile(root / '.mim' / CONFIG).model
    for part in (model.architecture, model.teacher):
        for old, new in NAMES.items():
            part.cfg_path = part.cfg_path.replace(old, new)
    model.teacher_ckpt = None
    return model


def build(cfg: dict, scope: str) -> torch.nn.Module:
    cfg = copy.deepcopy(cfg)
    cfg['_scope_'] = scope
    if scope == 'mmkd_ext':
        cfg['teacher_strict'] = False  # no weights are at hand: both engines get the same random ones
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(cfg)


@pytest.fixture(scope='module')
def pair() -> tuple[torch.nn.Module, torch.nn.Module, dict]:
    """Both engines' models with the same weights, and a batch."""
    from mmdet.testing import demo_mm_inputs

    import_mmrazor()
    theirs, ours = build(razor_config(), 'mmrazor'), build(razor_config(), 'mmkd_ext')
    batch = demo_mm_inputs(2, [[3, 128, 160], [3, 120, 150]], num_classes=80)
    data = ours.data_preprocessor(copy.deepcopy(batch), True)
    set_random_seed(3)
    theirs.architecture.backbone.init_cfg = None  # would be fetched
    theirs.architecture.init_weights()
    calibrate(theirs.teacher, data['inputs'])
    calibrate(theirs.architecture, data['inputs'])
    ours.student.load_state_dict(theirs.architecture.state_dict())
    ours.teacher.model.load_state_dict(theirs.teacher.state_dict())
    theirs.train()
    ours.train()
    return theirs, ours, batch


def losses(model: torch.nn.Module, batch: dict) -> dict[str, torch.Tensor]:
    set_random_seed(5)  # the regions that the student samples
    data = model.data_preprocessor(copy.deepcopy(batch), True)
    return {
        name: torch.stack(value) if isinstance(value, list) else value
        for name, value in model(**data, mode='loss').items()
    }


@pytest.mark.slow
def test_the_cwd_config_of_mmrazor_gives_its_losses_in_our_engine(pair: tuple) -> None:
    theirs, ours, batch = pair
    expected, found = losses(theirs, batch), losses(ours, batch)
    assert set(found) == set(expected)
    assert {f'distill.loss_cwd_fpn{i}' for i in range(5)} <= set(found)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-5, msg=lambda m, n=name: f'{n}: {m}')
    assert all(expected[f'distill.loss_cwd_fpn{i}'] > 1e-3 for i in range(5))


@pytest.mark.slow
def test_the_records_differ_only_where_an_inplace_relu_overwrote_those_of_mmrazor(pair: tuple) -> None:
    """Its guard against in-place modules looks for an OrderedDict, which `nn.Module._modules` is no longer."""
    theirs, ours, batch = pair
    recorder = dict(type='ModuleOutputs', source='backbone.bn1')
    kept = {}
    for model, scope in ((theirs, 'mmrazor'), (ours, 'mmkd_ext')):
        data = model.data_preprocessor(copy.deepcopy(batch), True)
        student = model.architecture
        with DefaultScope.overwrite_default_scope(scope), torch.no_grad():
            if scope == 'mmrazor':
                from mmrazor.models.task_modules import RecorderManager

                manager = RecorderManager(dict(stem=recorder))
                manager.initialize(student)
                with manager:
                    student.extract_feat(data['inputs'])
                kept[scope] = manager.get_recorder('stem').get_record_data()
            else:
                from mmkd_ext.recorders.manager import RecorderManager as OurManager

                manager = OurManager(dict(stem=recorder), 'student_recorders')
                with manager.recording(student):
                    student.extract_feat(data['inputs'])
                kept[scope] = manager.get('stem')
    assert kept['mmkd_ext'].min() < 0, 'a batch norm has negative outputs'
    torch.testing.assert_close(kept['mmrazor'], kept['mmkd_ext'].relu())


@pytest.mark.slow
@pytest.mark.parametrize(
    'name',
    [
        'ofd_backbone_resnet50_resnet18_8xb16_cifar10',  # margins; two networks of MMRazor's own
        'factor-transfer_backbone_resnet50_resnet18_8xb16_cifar10_pretrain',  # an unused connector, other pixels
        'dkd_resnet34_resnet18_8xb32_in1k',  # MMRazor's arguments of our loss
        'kd_logits_resnet50_shufflenet-v2-1x_16xb64_in1k',  # an inline student, mmengine's preprocessor
    ],
)
def test_a_config_gives_the_losses_and_gradients_of_mmrazor(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    tool = load_tool('mmrazor_table')
    (path,) = (path for path in tool.configs() if path.stem == name)
    row = tool.compare(path)
    assert row['there'], row
    assert row['here'], row
    assert row['losses'] <= tool.CLOSE
    assert row['gradients'] <= tool.CLOSE


@pytest.mark.slow
def test_byot_runs_here_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """MMRazor's engine asks for a module that mmpretrain does not register where it looks."""
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    tool = load_tool('mmrazor_table')
    (path,) = (path for path in tool.configs() if 'byot' in path.stem)
    assert tool.compare(path)['here']
