"""The most memory that training takes on a CPU, of a process of its own."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from mmengine.config import Config

from mmkd_ext.benchmark.rows import STUDENT, Setting, Subject
from mmkd_ext.process_memory import forget_peak, peak_memory

STEPS = 3  # after the second one the allocator has what it needs


def peak(cfg: Config, setting: Setting, part: str) -> tuple[float, float]:
    """Run some steps in a process that does nothing else.

    Args:
        cfg: As of `Subject`.
        setting: As of `Subject`.
        part: As of `Subject.row`.

    Returns:
        What the process had at most during the steps, and what of this is the teacher's weights and what the distiller
        recorded, in megabytes.
    """
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        return pool.submit(_peak, cfg, setting, part).result()


def _peak(cfg: Config, setting: Setting, part: str) -> tuple[float, float]:
    subject = Subject('', cfg, setting)
    step = subject.row(part).step
    if part == STUDENT:
        del subject.model
    held = _held(getattr(subject, 'model', None))
    forget_peak()
    for _ in range(STEPS):
        step()
    return peak_memory(), held() / 2**20


def _held(model: Any) -> Any:
    """A function that says how many bytes the teacher and the records take."""
    if not hasattr(model, 'distiller'):
        return lambda: 0
    most = 0
    clear = model.distiller.clear

    def look() -> None:
        nonlocal most
        managers = (model.distiller.student_recorders, model.distiller.teacher_recorders)
        most = max(most, sum(tensor.nbytes for manager in managers for tensor in manager.tensors()))
        clear()

    model.distiller.clear = look
    teachers = [taught.teacher.model for taught in getattr(model, 'taught', {}).values()]
    weights = sum(value.nbytes for teacher in teachers for value in teacher.state_dict().values())
    return lambda: weights + most
