"""The format of stored outputs: half precision, the largest logits, and a print of the images."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.logging import MessageHub
from torch.nn.functional import kl_div, log_softmax

from mmkd_ext.algorithms.stored_outputs import (
    FORMAT,
    NOTE,
    TeacherOutputs,
    chunk_path,
    logits_of,
    pack,
    print_of,
    unpack,
    write_chunk,
)
from mmkd_ext.distillers.configurable import ConfigurableDistiller
from mmkd_ext.errors import ConfigError

GENERATOR = torch.Generator().manual_seed(5)


def distiller() -> ConfigurableDistiller:
    return ConfigurableDistiller(
        student_recorders=dict(s=dict(type='ModuleOutputs', source='head')),
        teacher_recorders=dict(t=dict(type='ModuleOutputs', source='head'), x=dict(type='ModuleInputs', source='head')),
        distill_losses=dict(loss_kd=dict(type='KDLoss', tau=2.0), loss_mse=dict(type='mmkd_ext.CosineLoss')),
        loss_forward_mappings=dict(
            loss_kd=dict(student=dict(from_student=True, recorder='s'), teacher=dict(from_student=False, recorder='t')),
            loss_mse=dict(
                student=dict(from_student=True, recorder='s'),
                teacher=dict(from_student=False, recorder='x', data_idx=0),
            ),
        ),
    )


def test_values_come_back_in_half_precision() -> None:
    value = torch.randn(3, 5, generator=GENERATOR)
    torch.testing.assert_close(unpack(pack(value)), value, rtol=1e-3, atol=1e-3)
    assert pack(value)[''].dtype == torch.float16


def test_large_values_do_not_overflow_and_labels_stay_whole() -> None:
    value = torch.tensor([[3e5, -1.0]])
    torch.testing.assert_close(unpack(pack(value)), value, rtol=1e-2, atol=0)
    assert torch.equal(unpack(pack(torch.tensor([70000, 3]))), torch.tensor([70000, 3]))


def test_the_largest_logits_and_the_mass_of_the_others_come_back() -> None:
    value = 3 * torch.randn(4, 50, generator=GENERATOR)
    found = unpack(pack(value, top=8))
    kept = value.topk(8).indices
    torch.testing.assert_close(found.gather(1, kept), value.gather(1, kept), rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(found.softmax(1).gather(1, kept), value.softmax(1).gather(1, kept), rtol=1e-2, atol=1e-3)
    nearer, farther = (
        kl_div(
            log_softmax(unpack(pack(value, top=top)), 1),
            log_softmax(value, 1),
            log_target=True,
            reduction='batchmean',
        )
        for top in (20, 4)
    )
    assert nearer < farther
    assert torch.equal(unpack(pack(value, top=50)), unpack(pack(value))), 'all of them'


@pytest.mark.parametrize(
    ('loss', 'connector', 'expected'),
    [
        (dict(type='KDLoss', tau=1.0), None, {'t/0/None'}),
        (dict(type='mmkd_ext.DISTLoss'), None, {'t/0/None'}),
        (dict(type='KDLoss', tau=1.0), 'normalised', set()),
        (dict(type='NDLoss', class_means=[[1.0, 2.0]]), None, set()),
        (dict(type='CosineLoss'), None, set()),
    ],
)
def test_only_what_a_loss_takes_the_softmax_of_may_be_cut(loss: dict, connector: str | None, expected: set) -> None:
    """Not an embedding, whose norm counts, nor logits that a connector normalises or another loss compares."""
    student, teacher = dict(from_student=True, recorder='s'), dict(from_student=False, recorder='t')
    given = dict(student=student, teacher=dict(teacher, connector=connector))
    if loss['type'] == 'NDLoss':
        given['labels'] = student
    parts = dict(
        student_recorders=dict(s=dict(type='ModuleOutputs', source='head')),
        teacher_recorders=dict(t=dict(type='ModuleOutputs', source='head')),
        connectors=dict(normalised=dict(type='LogitNormConnector')),
    )
    one = ConfigurableDistiller(**parts, distill_losses=dict(loss=loss), loss_forward_mappings=dict(loss=given))
    assert logits_of(one) == expected
    both = ConfigurableDistiller(
        **parts,
        distill_losses=dict(loss=loss, loss_cosine=dict(type='CosineLoss')),
        loss_forward_mappings=dict(loss=given, loss_cosine=dict(student=student, teacher=teacher)),
    )
    assert logits_of(both) == set()


@pytest.mark.parametrize(
    'change',
    [lambda x: x.flip(3), lambda x: x.flip(2), lambda x: x.roll(1, 3), lambda x: x.flip(0), lambda x: x * 1.05],
    ids=['mirrored', 'upside down', 'shifted', 'another order', 'brighter'],
)
def test_a_print_tells_images_apart(change: object) -> None:
    images = torch.rand(2, 3, 16, 20, generator=GENERATOR).cumsum(3).cumsum(2) / 100
    assert torch.equal(print_of(images), print_of(images.clone()))
    assert (print_of(change(images)) - print_of(images)).abs().max() > 1e-3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of one step, the first."""
    note = dict(
        format=FORMAT, settings={}, length=1, unit='epochs', epoch_steps=2, chunk_steps=1, fingerprint='', classes=None,
        records=['t/0/None', 'x/0/0'],
    )  # fmt: skip
    (tmp_path / NOTE).write_text(json.dumps(note))
    images = torch.arange(24.0).reshape(1, 3, 2, 4)
    tensors = {'0/images': print_of(images), '0/t/0/None': torch.ones(1, 3).half(), '0/x/0/0': torch.ones(1, 2).half()}
    write_chunk(chunk_path(tmp_path, 0, 2, 1), tensors)
    return tmp_path


class TestTeacherOutputs:
    images = torch.arange(24.0).reshape(1, 3, 2, 4)

    def at(self, step: int) -> None:
        MessageHub.get_instance('outputs').update_info('iter', step)

    def test_recorders_hold_what_was_stored(self, folder: Path) -> None:
        self.at(0)
        parts = distiller()
        TeacherOutputs(str(folder), parts).fill(parts, self.images)
        assert torch.equal(parts.teacher_recorders.get('t'), torch.ones(1, 3))
        assert torch.equal(parts.teacher_recorders.get('x', data_idx=0), torch.ones(1, 2))

    def test_other_images_are_refused(self, folder: Path) -> None:
        self.at(0)
        parts = distiller()
        outputs = TeacherOutputs(str(folder), parts)
        for other in (self.images.flip(3), self.images.repeat(2, 1, 1, 1)):
            with pytest.raises(ConfigError, match=r'^model\.teacher_outputs: the images of step 1 are not those'):
                outputs.fill(parts, other)

    def test_a_step_that_is_not_there_is_named(self, folder: Path) -> None:
        self.at(1)
        parts = distiller()
        with pytest.raises(ConfigError, match=r'of step 2 is missing or damaged; remove it if it is there'):
            TeacherOutputs(str(folder), parts).fill(parts, self.images)

    def test_what_no_loss_was_given_then_is_named(self, folder: Path) -> None:
        note = json.loads((folder / NOTE).read_text())
        (folder / NOTE).write_text(json.dumps(dict(note, records=['t/0/None'])))
        with pytest.raises(ConfigError, match=r'does not have x/0/0 \(recorder, record_idx and data_idx\)'):
            TeacherOutputs(str(folder), distiller())

    def test_logits_of_which_a_loss_needs_more_than_was_kept_are_refused(self, folder: Path) -> None:
        note = json.loads((folder / NOTE).read_text())
        (folder / NOTE).write_text(json.dumps(dict(note, top=2, logits=['t/0/None'])))
        TeacherOutputs(str(folder), distiller())
        (folder / NOTE).write_text(json.dumps(dict(note, top=2, logits=['t/0/None', 'x/0/0'])))
        with pytest.raises(
            ConfigError, match='only the 2 largest values of x/0/0, of which a loss or a connector needs'
        ):
            TeacherOutputs(str(folder), distiller())

    def test_outputs_of_an_earlier_version_are_refused_with_what_to_do(self, folder: Path) -> None:
        note = json.loads((folder / NOTE).read_text())
        del note['format']
        (folder / NOTE).write_text(json.dumps(note))
        with pytest.raises(ConfigError, match=r'were made by another version of mmkd_ext, .*; remove the folder, and'):
            TeacherOutputs(str(folder), distiller())

    def test_a_folder_without_outputs_is_refused_with_the_command(self, tmp_path: Path) -> None:
        with pytest.raises(
            ConfigError, match=r'has no stored outputs of a teacher; make them with: .*teacher_outputs CONFIG'
        ):
            TeacherOutputs(str(tmp_path), distiller())
