"""The commands of a study, as processes whose progress is shown."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmkd_ext.distributed import VARIABLES, local_rank, started_count
from mmkd_ext.process_memory import peak_memory

PROGRESS = (
    r'Epoch\(train\) *(\[[0-9]+\]\[[ 0-9]+/[0-9]+\]).*(eta: [0-9:]+).*?( loss: [0-9.]+)',
    r'Iter\(train\) *(\[[ 0-9]+/[0-9]+\]).*(eta: [0-9:]+).*?( loss: [0-9.]+)',
    r'\((?:val)\) *(\[[0-9]+\])\[([0-9]+)/\2\].*?((?:bbox_mAP|accuracy/top1|mIoU): [0-9.]+)',
    r'^(error: .*)()()',
)
RUNNING: set[subprocess.Popen] = set()


def call(words: list[str], log: Path, name: str, append: bool = False) -> tuple[int, str, float]:
    """Run a command: all output to the log, progress to the screen.

    Returns:
        Its exit status, its last line, and its peak memory in MiB (0 if neither the log nor the system gives it).
    """
    last, memory, allocated = '', 0.0, 0.0
    path = os.pathsep.join([str(log.parent), *filter(None, [os.environ.get('PYTHONPATH')])])  # for an exported backbone
    with log.open('a' if append else 'w') as file:
        # A separate session, so that stopping it also reaches its data loaders.
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace',
            start_new_session=True, env={**os.environ, 'PYTHONPATH': path},
        )  # fmt: skip
        RUNNING.add(process)
        for line in process.stdout or []:
            file.write(line)
            last = line.strip() or last
            memory = max(memory, peak_memory(process.pid))
            allocated = max([allocated, *(float(found) for found in re.findall(r'memory: ([0-9]+)', line))])
            for pattern in PROGRESS:
                found = re.search(pattern, line)
                if found:
                    print(f'{name}: {found[1]} {found[2] if "eta" in found[2] else ""}{found[3]}', flush=True)
                    break
        status = process.wait()
        RUNNING.discard(process)
    return status, last, allocated or round(memory, 1)


def stop(*_: object) -> None:
    """Stop all running commands."""
    for process in list(RUNNING):
        os.killpg(process.pid, signal.SIGKILL)
    os._exit(130)


@contextmanager
def ours_alone() -> Iterator[None]:
    """A context in which child processes see the GPU of this process, and no launcher."""
    kept = dict(os.environ)
    if started_count() > 1 and os.environ.get('CUDA_VISIBLE_DEVICES') != '':  # empty: GPUs are hidden on purpose
        local, visible = local_rank(), os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',')
        os.environ['CUDA_VISIBLE_DEVICES'] = visible[local] if local < len(visible) and visible[0] else str(local)
    for name in VARIABLES:
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
