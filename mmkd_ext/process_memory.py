"""The peak memory of a process."""

import re
import resource
import sys
from contextlib import suppress
from pathlib import Path


def peak_memory(pid: int | None = None) -> float:
    """The peak memory of a process in MiB; 0 for another process if the system does not give it (other than Linux).

    Args:
        pid: Id of the process; None for this one.
    """
    # `resource` and `os.wait4` count from the fork on, and so include the size of the parent process; Linux's own table
    # does not.
    with suppress(OSError):
        found = re.search(r'VmHWM:\s+(\d+) kB', Path(f'/proc/{pid or "self"}/status').read_text())
        if found:
            return int(found[1]) / 1024
    if pid is not None:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == 'darwin' else 2**10)


def forget_peak() -> None:
    """Reset the peak memory of this process, if the system can (Linux)."""
    with suppress(OSError):
        Path('/proc/self/clear_refs').write_text('5')
