"""Losses and connectors that would train nobody."""

import re
from typing import Any

import pytest
import torch
from distilled_toys import distiller, make, records, total
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from toys import ToyStage, batch, toy

from mmkd_ext.distillers import gradients
from mmkd_ext.errors import ConfigError


class Checkpointed(ToyStage):
    """Runs its convolution and norm as the toolboxes' blocks do with `with_cp=True`."""

    with_cp, reentrant = True, True

    def forward(self, x: Tensor) -> Tensor:
        x = x.requires_grad_()  # as what comes from a block before
        return self.relu(checkpoint(lambda x: self.norm(self.conv(x)), x, use_reentrant=self.reentrant))


class Detaching(nn.Module):
    """A loss that detaches one of its arguments, or returns a constant."""

    def __init__(self, which: str = 'teacher', constant: float | None = None) -> None:
        super().__init__()
        self.which, self.constant = which, constant

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        if self.constant is not None:
            return student.new_full((), self.constant)
        if self.which == 'student':
            student = student.detach()
        else:
            teacher = teacher.detach()
        return (student.mean() - teacher.mean()).square()


class TestGradientsThatReachNobody:
    """Refused in the first step, before anything was changed."""

    def refused(self, message: str, student: Any = None, **kwargs: Any) -> None:
        algorithm = make(student, **kwargs).train()
        with pytest.raises(ConfigError, match=rf'^model\.distiller\.{message}'):
            algorithm(**batch(), mode='loss')

    def test_a_record_inside_a_checkpointed_block(self) -> None:
        student = toy(1)
        student.backbone.__class__ = Checkpointed
        cfg = distiller(student='backbone.norm', teacher='backbone.norm')
        said = r"loss_forward_mappings\.loss_cwt: the student learns nothing .* 's' carries no gradient; "
        self.refused(said + r'backbone\.norm is inside backbone, .* set with_cp=False', student, distiller=cfg)

    def test_a_record_inside_a_checkpointed_block_that_keeps_the_graph(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The block runs again in the backward pass: it leaves no second record, and the gradient is the same."""
        monkeypatch.setattr(Checkpointed, 'reentrant', False)
        grads = []
        for kind in (ToyStage, Checkpointed):
            student = toy(1)
            student.backbone.__class__ = kind
            algorithm = make(student, distiller=distiller(student='backbone.norm', teacher='backbone.norm')).train()
            total(algorithm(**batch(), mode='loss')).backward()
            assert not any(recorder.records for recorder in records(algorithm))
            grads.append([p.grad for p in algorithm.parameters()])
        torch.testing.assert_close(*grads)

    def test_a_frozen_stage(self) -> None:
        student = toy(1)
        student.backbone.requires_grad_(False)
        said = r'loss_forward_mappings\.loss_cwt: the student learns nothing .*; backbone is in a frozen stage'
        self.refused(said + r' \(frozen_stages\)', student)

    def test_a_frozen_parameter(self) -> None:
        student, cfg = toy(1), distiller()
        student.neck.weight.requires_grad_(False)
        cfg['student_recorders']['s'] = dict(type='Parameter', source='neck.weight')
        cfg['teacher_recorders']['t'] = dict(type='Parameter', source='neck.weight')
        cfg['connectors']['mlp']['out_channels'] = 4
        said = r'loss_forward_mappings\.loss_cwt: .*; the parameter neck\.weight is frozen'
        self.refused(said, student, teacher=toy(2), distiller=cfg)

    @pytest.mark.parametrize('constant', [None, 3.0])
    def test_a_loss_that_detaches_the_student(self, constant: float | None) -> None:
        cfg = distiller()
        cfg['distill_losses']['loss_cwt'] = dict(type=Detaching, which='student', constant=constant)
        said = r"loss_forward_mappings\.loss_cwt: .* no gradient reaches the record of 's', .* swapped\?"
        self.refused(said, distiller=cfg)

    def test_a_connector_on_the_side_that_the_loss_detaches(self) -> None:
        cfg = distiller()
        for arg in ('student', 'teacher'):
            cfg['loss_forward_mappings']['loss_cwt'][arg].pop('connector', None)
        cfg['loss_forward_mappings']['loss_cwt']['teacher']['connector'] = 'mlp'
        cfg['connectors']['mlp'].update(in_channels=6, out_channels=4)
        said = r'connectors\.mlp would never be trained: .* no gradient to .*loss_forward_mappings\.loss_cwt\.teacher'
        self.refused(said, distiller=cfg)
        self.refused(said, distiller=cfg, student_trainable=False)

    def test_a_constant_zero_is_looked_at_again(self) -> None:
        """Some losses return it where a batch has nothing to learn from."""
        cfg = distiller()
        cfg['distill_losses']['loss_cwt'] = dict(type=Detaching, which='student', constant=0.0)
        algorithm = make(distiller=cfg).train()
        algorithm(**batch(), mode='loss')
        algorithm.distiller.distill_losses['loss_cwt'].constant = None
        with pytest.raises(ConfigError, match='no gradient reaches'):
            algorithm(**batch(), mode='loss')

    def test_only_the_first_step_pays_for_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        algorithm = make().train()
        with torch.no_grad():
            algorithm(**batch(), mode='loss')
        algorithm(**batch(), mode='loss')
        monkeypatch.setattr(gradients, 'Reach', None)
        algorithm(**batch(), mode='loss')
        assert not algorithm.distiller._check_gradients.values

    @pytest.mark.parametrize('phase', ['pretrain', 'train'])
    def test_factor_transfers_paraphraser_is_trained_by_its_own_loss_and_then_used(self, phase: str) -> None:
        """MMRazor's: first it learns to rebuild the teacher's map, the student idle; then it runs without gradient."""
        cfg = distiller()
        cfg['connectors'] = dict(t=dict(type='mmrazor.Paraphraser', phase=phase, in_channel=6, out_channel=3))
        teacher = dict(from_student=False, recorder='t', connector='t')
        loss, student = 'mmrazor.L2Loss', dict(from_student=False, recorder='t')
        if phase == 'train':
            cfg['connectors']['s'] = dict(type='mmrazor.Translator', in_channel=4, out_channel=3)
            loss, student = 'mmrazor.FTLoss', dict(from_student=True, recorder='s', connector='s')
        cfg['distill_losses'] = dict(loss_ft=dict(type=loss))
        cfg['loss_forward_mappings'] = dict(loss_ft=dict(s_feature=student, t_feature=teacher))
        trains = phase == 'train'
        algorithm = make(distiller=cfg, student_trainable=trains, calculate_student_loss=trains).train()
        total(algorithm(**batch(), mode='loss')).backward()
        trained = {
            name.split('.')[2] for name, p in algorithm.distiller.named_parameters(prefix='d') if p.grad is not None
        }
        assert trained == {'s' if trains else 't'}


@pytest.mark.parametrize(('record_idx', 'said'), [(0, True), (1, False), ([0, 1], False)])
def test_a_head_on_several_levels_of_which_the_first_alone_is_used_is_said(
    record_idx: Any, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    monkeypatch.setattr(gradients, 'print_log', lambda text, *_: notes.append(text))
    gradients._say.cache_clear()
    student, teacher = toy(1), toy(2, width=6)
    for model in (student, teacher):
        model.backbone.register_forward_hook(lambda part, args, output: part.norm(output) * 0 + output)
    cfg = distiller(student='backbone.norm', teacher='backbone.norm')
    for side in cfg['loss_forward_mappings']['loss_cwt'].values():
        side['record_idx'] = record_idx
    for _ in range(2):  # a dry run, and a step
        make(student, teacher, distiller=cfg).train()(**batch(), mode='loss')
    assert len(notes) == said
    words = r'student_recorders\.s: backbone\.norm ran 2 times .* map record_idx=\[0, 1\]\.'
    assert all(re.search(words, note) for note in notes)
