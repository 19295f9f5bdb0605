"""Class means of real teachers: against two passes by hand, in two processes, killed and continued."""

import copy
import json
import runpy
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, DefaultScope
from support import MINI, ROOT

from mmkd_ext.build import build_model, model_config
from mmkd_ext.class_means import ClassMeans
from mmkd_ext.errors import ConfigError
from mmkd_ext.extraction import class_means as extract
from mmkd_ext.extraction.data import reseed

pytestmark = pytest.mark.slow

DETECTOR = """
_base_ = '{mini}/faster_rcnn_teacher.py'
train_dataloader = dict(batch_size=4, num_workers=1, dataset=dict(data_root='{digits}/', pipeline=[
    dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs')]))
"""
CLASSIFIER = """
_base_ = '{mini}/resnet_teacher.py'
train_dataloader = dict(batch_size=16, dataset=dict(data_root='{digits}/classification/', data_prefix='train'))
"""
DISTILLED = """
_base_ = '{mini}/resnet_student.py'
train_dataloader = dict(batch_size=16, dataset=dict(data_root='{digits}/classification/'))
tap = dict(embedding=dict(type='ModuleOutputs', source='neck'))
model = dict(
    _delete_=True, type='mmkd_ext.SingleTeacherDistill', architecture=_base_.model,
    teacher='{mini}/resnet_teacher.py', teacher_ckpt='{checkpoint}',
    distiller=dict(
        type='ConfigurableDistiller', teacher_recorders=tap,
        student_recorders=dict(gt=dict(type='ModuleInputs', source='head.loss_module'), **tap),
        connectors=dict(embed=dict(type='EmbedConnector', in_channels=64, out_channels=128)),
        distill_losses=dict(loss_nd=dict(type='mmkd_ext.NDLoss', class_means='not/there/yet.safetensors')),
        loss_forward_mappings=dict(loss_nd=dict(
            student=dict(from_student=True, recorder='embedding', data_idx=-1, connector='embed'),
            teacher=dict(from_student=False, recorder='embedding', data_idx=-1),
            labels=dict(from_student=True, recorder='gt', data_idx=1)))))
custom_imports = dict(imports=['mmkd_ext'])
"""
KILLED = """
import os, runpy, signal, sys
from mmkd_ext.extraction import class_means as extract
extract.SAVE_EVERY, add = 0.0, extract._Pass._add
def counted(self, accumulator, batch, position):
    add(self, accumulator, batch, position)
    if position >= 12:
        os.kill(os.getpid(), signal.SIGKILL)
extract._Pass._add = counted
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


class Case:
    """A config file, its teacher's checkpoint, and the class means that an uninterrupted run makes of it."""

    def __init__(self, folder: Path, text: str, digits: Path, checkpoint: Path) -> None:
        self.folder, self.checkpoint = folder, checkpoint
        self.path, self.out = folder / 'config.py', folder / 'means.safetensors'
        self.path.write_text(text.format(mini=MINI, digits=digits, checkpoint=checkpoint))
        self.given = {} if '{checkpoint}' in text else dict(checkpoint=str(checkpoint))
        self.means = self.make(self.out)

    def config(self, **options: Any) -> Config:
        cfg = Config.fromfile(self.path)
        cfg.merge_from_dict(options)
        return cfg

    def make(self, out: Path, cfg: Config | None = None, **options: Any) -> ClassMeans:
        return extract.make_class_means(cfg or self.config(), out, **{**self.given, **options})


@pytest.fixture(scope='module')
def detector(tmp_path_factory: pytest.TempPathFactory, digits: Path, teacher_ckpt: Callable) -> Case:
    return Case(tmp_path_factory.mktemp('detector'), DETECTOR, digits, teacher_ckpt('faster_rcnn_teacher'))


@pytest.fixture(scope='module')
def classifier(tmp_path_factory: pytest.TempPathFactory, digits: Path, teacher_ckpt: Callable) -> Case:
    return Case(tmp_path_factory.mktemp('classifier'), CLASSIFIER, digits, teacher_ckpt('resnet_teacher'))


@pytest.fixture(scope='module')
def distilled(tmp_path_factory: pytest.TempPathFactory, digits: Path, classifier: Case) -> Case:
    return Case(tmp_path_factory.mktemp('distilled'), DISTILLED, digits, classifier.checkpoint)


def teacher_of(case: Case, name: str) -> Any:
    model: Any = build_model(model_config(str(MINI / f'{name}.py'), 'model'), 'model').eval()
    model.load_state_dict(torch.load(case.checkpoint, weights_only=True)['state_dict'])
    return model


def two_passes(pairs: list[tuple[torch.Tensor, torch.Tensor]], classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """All embeddings of a class gathered, then averaged in float64."""
    gathered = defaultdict(list)
    for embeddings, labels in pairs:
        for embedding, label in zip(embeddings, labels.tolist(), strict=True):
            gathered[label].append(embedding.double())
    empty = torch.zeros(pairs[0][0].shape[1], dtype=torch.float64)
    means = [torch.stack(gathered[k]).mean(0) if gathered[k] else empty for k in range(classes)]
    return torch.stack(means), torch.tensor([len(gathered[k]) for k in range(classes)])


def assert_equal(found: ClassMeans, means: torch.Tensor, counts: torch.Tensor) -> None:
    assert torch.equal(found.counts, counts)
    assert means.abs().amax() > 0
    torch.testing.assert_close(found.means, means.float(), rtol=1e-6, atol=1e-6 * means.abs().max().item())


@torch.no_grad()
def test_means_of_a_classifier_are_of_what_its_classifier_is_given(classifier: Case) -> None:
    model, pairs = teacher_of(classifier, 'resnet_teacher'), []
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(classifier.config().train_dataloader.dataset)
    for start in range(0, 40, 16):
        data = model.data_preprocessor(pseudo_collate([dataset[i] for i in range(start, min(start + 16, 40))]), False)
        pooled = model.backbone(data['inputs'])[-1].mean((2, 3))
        pairs.append((pooled, torch.cat([sample.gt_label for sample in data['data_samples']])))
    assert_equal(classifier.means, *two_passes(pairs, 10))
    assert classifier.means.counts.sum() == 40


@torch.no_grad()
def test_means_of_a_detector_are_of_its_own_sampled_regions_and_the_background(detector: Case) -> None:
    model, pairs = teacher_of(detector, 'faster_rcnn_teacher'), []
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(detector.config().train_dataloader.dataset)
    head, flipped = model.roi_head, []
    for start in range(0, len(dataset), 4):
        samples = []
        for i in range(start, min(start + 4, len(dataset))):
            reseed(0, 0, i)
            samples.append(dataset[i])
        data = model.data_preprocessor(pseudo_collate(samples), False)
        flipped += [sample.flip for sample in data['data_samples']]
        reseed(0, 1, start)
        levels = model.extract_feat(data['inputs'])
        objects = copy.deepcopy(data['data_samples'])
        for sample in objects:
            sample.gt_instances.labels.zero_()
        _, proposals = model.rpn_head.loss_and_predict(levels, objects, proposal_cfg=model.train_cfg.rpn_proposal)
        sampled = []
        for regions, sample in zip(proposals, data['data_samples'], strict=True):
            regions.priors = regions.pop('bboxes')
            assigned = head.bbox_assigner.assign(regions, sample.gt_instances)
            sampled.append(head.bbox_sampler.sample(assigned, regions, sample.gt_instances))
        boxes = torch.cat([torch.cat([torch.full((len(s.priors), 1), i), s.priors], 1) for i, s in enumerate(sampled)])
        x = head.bbox_roi_extractor(levels, boxes).flatten(1)
        for layer in head.bbox_head.shared_fcs:
            x = layer(x).relu()
        truth = [torch.cat([s.pos_gt_labels, torch.full((len(s.neg_priors),), 10)]) for s in sampled]
        pairs.append((x, torch.cat(truth)))
    assert len(set(flipped)) == 2
    assert_equal(detector.means, *two_passes(pairs, 11))
    assert detector.means.counts[10] > 0


def test_a_distillation_config_takes_its_nd_loss_s_places_and_builds_no_loss(
    distilled: Case, classifier: Case, tmp_path: Path
) -> None:
    assert_equal(distilled.means, classifier.means.means, classifier.means.counts)
    found = distilled.means.metadata
    assert found['embedding'] == 'ModuleOutputs neck [-1]'
    assert found['labels'] == 'ModuleInputs head.loss_module [1]'
    inline = distilled.config()
    inline.model.teacher = model_config(str(MINI / 'resnet_teacher.py'), 'model.teacher')
    inline.model.teacher.pop('data_preprocessor')  # an inline teacher that does not say has the student's pixels
    inline.model.teacher_ckpt = None  # an init_cfg names its weights as well
    inline.model.teacher.init_cfg = dict(type='Pretrained', checkpoint=str(distilled.checkpoint))
    assert_equal(distilled.make(tmp_path / 'inline', inline), classifier.means.means, classifier.means.counts)
    inline.model.data_preprocessor = dict(mean=[0, 0, 0], std=[1, 1, 1])
    other = distilled.make(tmp_path / 'other', inline)
    assert not torch.allclose(other.means, classifier.means.means)


def test_what_is_written_says_what_it_is_and_fits_its_teacher_alone(detector: Case) -> None:
    found = ClassMeans.load(detector.out)
    assert torch.equal(found.means, detector.means.means)
    assert torch.equal(found.counts, detector.means.counts)
    assert found.metadata == detector.means.metadata
    said = {name: value for name, value in found.metadata.items() if name not in ('fingerprint', 'mmkd_ext')}
    assert said == dict(
        teacher='config.py',
        checkpoint='faster_rcnn_teacher.pth',
        changes='',
        embedding='ModuleInputs roi_head.bbox_head.fc_cls [0]',
        labels='ModuleInputs roi_head.bbox_head.loss_cls [1]',
        pipeline='train: LoadImageFromFile, LoadAnnotations, RandomFlip, PackDetInputs',
        proposals='teacher',
        dataset='CocoDataset annotations/instances_teacher.json, 24 samples',
        classes=json.dumps([str(digit) for digit in range(10)]),
        images='24',
        batch_size='4',
        seed='0',
    )
    model = teacher_of(detector, 'faster_rcnn_teacher')
    found.check_teacher(model)
    model.roi_head.bbox_head.fc_reg.bias.data[0] += 1
    with pytest.raises(ValueError, match='another teacher'):
        found.check_teacher(model)
    assert detector.out.with_name('means.safetensors.png').read_bytes().startswith(b'\x89PNG')
    assert not list(detector.folder.glob('*.partial'))


def test_a_teacher_that_looks_for_hard_examples_is_recorded_where_it_would_be_trained(
    detector: Case, tmp_path: Path
) -> None:
    """Its sampler runs the head before, image by image, on the background first."""
    cfg = detector.config()
    cfg.model.train_cfg.rcnn.sampler = dict(type='OHEMSampler', num=16, pos_fraction=0.25, add_gt_as_proposals=True)
    found = detector.make(tmp_path / 'means', cfg)
    present = detector.means.counts > 0
    assert found.counts.sum() == 16 * 24
    assert torch.equal(found.counts > 0, present)
    assert (torch.cosine_similarity(found.means, detector.means.means)[present] > 0.7).all()


def test_the_students_regions_are_embedded_by_the_teacher(
    detector: Case, teacher_ckpt: Callable, tmp_path: Path
) -> None:
    """Those of a student that is the teacher are the teacher's own; another's are others."""
    cfg = detector.config(default_scope='mmdet')
    teacher = cfg.model.copy()
    cfg.model = dict(
        type='mmkd_ext.RoIDistill',
        architecture=teacher,
        teacher=teacher,
        teacher_ckpt=str(detector.checkpoint),
        distiller=dict(
            student_recorders=dict(labels=dict(type='ModuleInputs', source='roi_head.bbox_head.loss_cls')),
            teacher_recorders=dict(embedding=dict(type='ModuleInputs', source='roi_head.bbox_head.fc_cls')),
            distill_losses=dict(loss_nd=dict(type='mmkd_ext.NDLoss', class_means='none')),
            loss_forward_mappings=dict(
                loss_nd=dict(
                    teacher=dict(from_student=False, recorder='embedding', data_idx=0),
                    labels=dict(from_student=True, recorder='labels', data_idx=1),
                )
            ),
        ),
    )
    same = detector.make(tmp_path / 'same', cfg, proposals='student', student_checkpoint=str(detector.checkpoint))
    assert_equal(same, detector.means.means, detector.means.counts)
    assert same.metadata['proposals'].startswith('student, faster_rcnn_teacher.pth: ')
    random = detector.make(tmp_path / 'random', cfg, proposals='student')
    assert random.metadata['proposals'].startswith('student, as it starts: ')
    assert not torch.allclose(random.means, same.means, rtol=1e-2)
    wrong = [
        (dict(student_checkpoint='x.pth', cfg=cfg), '--student-ckpt needs --proposals student'),
        (
            dict(proposals='student', student_checkpoint='x.pth', cfg=cfg),
            '--student-ckpt: the checkpoint x.pth does not',
        ),
    ]
    for options, message in wrong:
        with pytest.raises(ConfigError, match=message):
            detector.make(tmp_path / 'none', **options)
    with pytest.raises(ConfigError, match="same belongs to another run .proposals is 'student, .* there and 'teacher'"):
        detector.make(tmp_path / 'same', cfg)


def test_two_processes_make_the_same(detector: Case, command: Callable, tmp_path: Path) -> None:
    options = ['--out', tmp_path / 'means', '--checkpoint', detector.checkpoint]
    done = command('tools/dist_class_means.sh', detector.path, 2, *options, PORT='29531')
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('; see ') == 1
    found = ClassMeans.load(tmp_path / 'means')
    assert_equal(found, detector.means.means, detector.means.counts)
    assert found.metadata == detector.means.metadata


def test_a_killed_run_goes_on_and_makes_the_same(
    detector: Case, command: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    out, script, partial = tmp_path / 'means', tmp_path / 'killed.py', tmp_path / 'means.partial'
    script.write_text(KILLED)
    killed = command(script, 'tools/class_means.py', detector.path, '--out', out, '--checkpoint', detector.checkpoint)
    assert killed.returncode == -9, killed.stderr
    assert [path.name for path in sorted(tmp_path.iterdir())] == ['killed.py', 'means.partial']
    for change, name in ((dict(limit=23), 'images'), (dict(pipeline='test'), 'pipeline')):
        with pytest.raises(
            ConfigError, match=rf'means\.partial belongs to another run \({name} is .*delete it, or give --res'
        ):
            detector.make(out, **change)
    shutil.copy(partial, tmp_path / 'torn.partial')
    with (tmp_path / 'torn.partial').open('r+b') as file:
        file.truncate(100)
    with pytest.raises(ConfigError, match=r'torn\.partial cannot be read: delete it, or give --restart'):
        detector.make(tmp_path / 'torn')
    seen = []
    add = extract._Pass._add
    monkeypatch.setattr(extract._Pass, '_add', lambda *args: (seen.append(args[3]), add(*args)))
    resumed = detector.make(out)
    assert seen == [12, 16, 20]
    assert torch.equal(resumed.means, detector.means.means), 'one process: the same bits'
    assert torch.equal(ClassMeans.load(out).counts, detector.means.counts)
    assert not partial.exists()
    written = out.stat().st_mtime_ns
    detector.make(out)
    assert 'nothing to do' in capsys.readouterr().out
    assert out.stat().st_mtime_ns == written
    with pytest.raises(ConfigError, match=r'means belongs to another run \(images is .*give --restart to replace it'):
        detector.make(out, limit=4)
    assert detector.make(out, limit=4, restart=True).metadata['images'] == '4'
    assert len(seen) == 4


def test_the_test_pipeline_needs_no_flip_and_keeps_the_boxes(detector: Case, tmp_path: Path) -> None:
    plain = detector.make(tmp_path / 'plain', pipeline='test')
    cfg = detector.config()
    cfg.train_dataloader.dataset.pipeline.pop(2)
    assert_equal(detector.make(tmp_path / 'same', cfg), plain.means, plain.counts)
    assert not torch.allclose(plain.means, detector.means.means, rtol=1e-3)


def test_what_does_not_fit_is_refused_before_it_starts(detector: Case, distilled: Case, tmp_path: Path) -> None:
    out = tmp_path / 'means'
    (tmp_path / 'file').touch()
    mistakes = [
        (dict(checkpoint='nowhere.pth'), 'the checkpoint nowhere.pth does not exist'),
        (dict(checkpoint=str(distilled.checkpoint)), 'does not belong to this teacher'),
        (dict(layer='roi_head.bbox_head.fc'), r'--layer=roi_head\.bbox_head\.fc is not a module.*nearest'),
        (dict(layer='rpn_head.rpn_cls'), r'--layer=rpn_head.rpn_cls: embeddings must be \(N, C\), got'),
        (dict(out=tmp_path), r'--out .* is a folder'),
        (dict(out=tmp_path / 'file' / 'means'), r'--out .*means cannot be written: '),
    ]
    for options, message in mistakes:
        with pytest.raises(ConfigError, match=message):
            detector.make(**{'out': out, **options})
    cfg = distilled.config(**{'model.distiller.student_recorders.gt.source': 'head.loss_modul'})
    with pytest.raises(
        ConfigError, match=r"student_recorders\.gt: the teacher must have it, too, for the labels, but .*'"
    ):
        distilled.make(out, cfg)
    assert [path.name for path in tmp_path.iterdir()] == ['file']


def test_the_command_names_what_is_missing_in_one_line(
    distilled: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    wrong = ['--cfg-options', 'train_dataloader.dataset.data_root=nowhere/']
    mistakes = [
        (wrong, 'train_dataloader.dataset.data_root: nowhere/ does not exist'),
        (['--checkpoint', 'nowhere.pth'], '--checkpoint: there is no file nowhere.pth'),
        (['--limit', '0'], '--limit must be at least 1, got 0'),
    ]
    for options, message in mistakes:
        words = ['class_means.py', distilled.path, '--out', tmp_path / 'means', *options]
        monkeypatch.setattr(sys, 'argv', [str(word) for word in words])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(ROOT / 'tools' / 'class_means.py'), run_name='__main__')
        assert stopped.value.code == 2
        assert capsys.readouterr().err.startswith(f'error: {message}')
    assert list(tmp_path.iterdir()) == []
