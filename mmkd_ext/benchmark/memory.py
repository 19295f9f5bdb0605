"""The peak memory of training on a CPU, measured in a separate process."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from mmengine.config import Config

from mmkd_ext.benchmark.rows import MMRAZOR, STUDENT, TEACHER, Setting, Subject
from mmkd_ext.process_memory import forget_peak, peak_memory

STEPS = 3  # after the second step the allocator has all that it needs


def peak(cfg: Config, setting: Setting, part: str) -> tuple[float, float]:
    """Run some steps in a process that does nothing else.

    Args:
        cfg: See `Subject`.
        setting: See `Subject`.
        part: See `Subject.row`.

    Returns:
        The peak memory of the process during the steps, and the part of it that is the teacher's weights and the
        distiller's records, in megabytes.
    """
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        return pool.submit(_peak, cfg, setting, part).result()


def _peak(cfg: Config, setting: Setting, part: str) -> tuple[float, float]:
    subject = Subject('', cfg, setting)
    step = subject.row(part).step
    if part == STUDENT:
        del subject.model
    forget_peak()
    for _ in range(STEPS):
        step()
    most = peak_memory()
    return most, held(subject, part) / 2**20


def held(subject: Subject, part: str) -> int:
    """Bytes of the teachers' weights and of a part's records in a step."""
    if part == STUDENT or not hasattr(subject.model, 'distiller'):
        return 0
    model = subject.model
    teachers = [taught.teacher.model for taught in getattr(model, 'taught', {}).values()]
    size = sum(value.nbytes for teacher in teachers for value in teacher.state_dict().values())
    if part == MMRAZOR:  # its engine has its own recorders
        return size
    managers = [model.distiller.teacher_recorders, model.distiller.student_recorders][: 1 if part == TEACHER else 2]
    inputs = model.data_preprocessor(subject.data, True)
    with subject.cast(), model.recorded(**inputs):
        return size + sum(tensor.nbytes for manager in managers for tensor in manager.tensors())
