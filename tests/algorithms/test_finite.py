"""Losses that are not finite end the run, at once or a step later."""

import copy
from typing import Any

import pytest
from distilled_toys import make, records
from mmengine.runner.checkpoint import get_state_dict
from torch import Tensor
from toys import batch

from mmkd_ext.algorithms.finite import FiniteCheck
from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill


@pytest.mark.parametrize(('samples', 'of'), [(True, r'images/0\.png, images/1\.png'), (False, 'this batch')])
def test_a_loss_that_is_not_finite_stops_with_its_name_and_the_images(
    algorithm: SingleTeacherDistill, samples: bool, of: str
) -> None:
    data = batch(2)
    data['inputs'][0, 0, 0, 0] = float('nan')
    if not samples:
        del data['data_samples']
    with pytest.raises(FloatingPointError, match=rf'distill_losses: loss_cwt=nan is not finite, for {of}'):
        algorithm(**data, mode='loss')
    assert not any(recorder.records for recorder in records(algorithm))


def test_of_many_images_the_first_are_named(algorithm: SingleTeacherDistill) -> None:
    data = batch(8)
    data['inputs'][0, 0, 0, 0] = float('nan')
    with pytest.raises(FloatingPointError, match=r'images/5\.png, \.\.\.; if the loss grew'):
        algorithm(**data, mode='loss')


class TestLossesThatAreNotFinite:
    """On a device that the host would have to wait for, a step's losses are looked at in the next one."""

    @pytest.fixture
    def diverged(self, algorithm: SingleTeacherDistill, monkeypatch: pytest.MonkeyPatch) -> SingleTeacherDistill:
        """After a step whose loss was not finite, unnoticed so far."""
        monkeypatch.setattr(FiniteCheck, '_reads_at_once', staticmethod(lambda values: False))
        data = batch(2)
        data['inputs'][0, 0, 0, 0] = float('nan')
        assert algorithm.train()(**data, mode='loss')['distill.loss_cwt'].isnan()
        return algorithm

    @pytest.mark.parametrize(
        'then',
        [
            lambda algorithm: algorithm(**batch(4), mode='loss'),
            lambda algorithm: algorithm.eval(),
            lambda algorithm: algorithm.state_dict(),
            get_state_dict,
        ],
        ids=['next step', 'evaluation', 'state_dict', "mmengine's checkpoint"],
    )
    def test_they_stop_what_comes_next(self, diverged: SingleTeacherDistill, then: Any) -> None:
        said = r'distill_losses: loss_cwt=nan is not finite, for images/0\.png, images/1\.png; if the loss grew '
        with pytest.raises(FloatingPointError, match=said):
            then(diverged)
        then(make())

    def test_a_copy_of_the_model_knows_nothing_of_them(self, diverged: SingleTeacherDistill) -> None:
        copy.deepcopy(diverged).state_dict()

    def test_nothing_is_read_from_the_device_in_a_step(
        self, algorithm: SingleTeacherDistill, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(FiniteCheck, '_reads_at_once', staticmethod(lambda values: False))
        algorithm(**batch(), mode='loss')
        algorithm.finite.finish()
        reads = ('item', 'tolist', '__bool__', '__float__', '__int__', 'cpu', 'numpy', 'nonzero')
        for name in reads:
            monkeypatch.setattr(Tensor, name, lambda *_, name=name: pytest.fail(f'Tensor.{name} waits'))
        algorithm(**batch(), mode='loss')
