"""Which methods fit, on what terms, and what is said where one does not."""

import pytest
from looks import cfg, detector, levels, one_map
from support import ROOT

from mmkd_ext.errors import ConfigError
from mmkd_ext.recipes import METHODS, choose
from mmkd_ext.recipes.builders import BY_WANT
from mmkd_ext.recipes.choose import EXAMPLE
from mmkd_ext.recipes.kinds import CLASSIFIER, DENSE, KINDS, SEGMENTOR
from mmkd_ext.recipes.methods import SMALL


@pytest.mark.parametrize(
    ('loop', 'expected'),
    [
        (dict(max_epochs=100), dict(begin=-1, end=19)),
        (dict(max_epochs=50), dict(begin=-1, end=9)),
        (dict(max_iters=1000), dict(begin=-1, end=199, by_epoch=False)),
        (dict(max_epochs=5), None),
        (dict(), None),
    ],
)
def test_a_schedule_is_the_published_part_of_the_run(loop: dict, expected: dict | None) -> None:
    student = one_map(CLASSIFIER)
    student.stages = levels(4, 4, 8, trains=True)
    found = choose('tfd', student, None, dict(cfg(), train_cfg=loop)).hooks
    made = dict(type='mmkd_ext.LossWeightHook', loss='loss_tfd', schedule='linear')
    assert found == ([dict(made, **expected)] if expected else [])


def test_gradients_are_clipped_where_the_method_does_and_the_student_does_not() -> None:
    assert choose('cwt', detector(), detector(), cfg()).clip == 35
    assert choose('cwt', detector(), detector(), cfg(optim_wrapper=dict(clip_grad=dict(max_norm=1)))).clip is None
    assert choose('pkd', detector(), detector(), cfg()).clip is None


def test_a_kind_that_a_method_is_not_for_is_told_what_fits() -> None:
    with pytest.raises(ConfigError) as found:
        choose('dkd', detector(DENSE), detector(DENSE), cfg())
    assert str(found.value).startswith('--distill dkd: DKD needs class logits of a softmax, ')
    assert str(found.value).endswith('what fits: cwt, cwd, pkd, mgd, fitnet, kd, reviewkd, tfd, tffd.')


def test_models_of_other_tasks_do_not_compare() -> None:
    with pytest.raises(ConfigError, match=r'the teacher is a classifier \(Part\), and the student a segmentor'):
        choose('cwt', one_map(SEGMENTOR), one_map(CLASSIFIER), cfg())
    assert (ROOT / EXAMPLE.replace('mmkd_ext::', 'configs/')).is_file()


def test_the_tables_are_of_known_kinds_and_wants() -> None:
    for method in METHODS.values():
        assert {*method.on} <= {*KINDS, SMALL}
        assert {use.wants for use in method.on.values()} <= ({*BY_WANT} if method.teacher else {'stages'})
