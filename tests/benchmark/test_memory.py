"""Memory is of the steps: what was freed before them does not count, what they take does."""

from mmengine.config import Config
from support import MINI

from mmkd_ext.benchmark import memory, rows
from mmkd_ext.benchmark.rows import Setting, Subject


def test_the_teachers_weights_and_what_is_recorded() -> None:
    cfg = Config.fromfile(MINI / 'resnet_cwt.py')
    whole = Subject('', cfg, Setting(2, (32, 32)))
    teacher = next(iter(whole.model.taught.values())).teacher.model
    weights = sum(value.nbytes for value in teacher.state_dict().values())
    assert memory.held(whole, rows.STUDENT) == 0
    assert memory.held(whole, rows.MMRAZOR) == weights < memory.held(whole, rows.TEACHER)
    assert memory.held(whole, rows.TEACHER) < memory.held(whole, rows.STEP) == memory.held(whole, rows.LOSSES)
    plain = Subject('', Config.fromfile(MINI / 'resnet_student.py'), Setting(2, (32, 32)))
    assert memory.held(plain, rows.STEP) == 0
