"""The most memory that a process has held."""

import re
import resource
import sys
from contextlib import suppress
from pathlib import Path


def peak_memory(pid: int | None = None) -> float:
    """MiB that a process held at most; of another one 0 where the system does not say (other than Linux).

    Args:
        pid: Its number; None for this process.
    """
    # The usage that `resource` and `os.wait4` give counts from the fork on, so that it has the size of the process that
    # started this one; Linux's own table has not.
    with suppress(OSError):
        found = re.search(r'VmHWM:\s+(\d+) kB', Path(f'/proc/{pid or "self"}/status').read_text())
        if found:
            return int(found[1]) / 1024
    if pid is not None:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == 'darwin' else 2**10)


def forget_peak() -> None:
    """Forget what this process held at most until now, where the system can (Linux)."""
    with suppress(OSError):
        Path('/proc/self/clear_refs').write_text('5')
