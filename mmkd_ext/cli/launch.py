"""Run a command: its processes, its messages, its exit."""

import gc
import os
import sys
import time
from collections.abc import Callable

import torch
from mmengine import dist
from mmengine.config import Config

from mmkd_ext.build import refused
from mmkd_ext.distributed import rank
from mmkd_ext.errors import ConfigError, sentence

PATIENCE = 20.0  # seconds that other processes wait for the first to report an error


def say(note: str) -> None:
    """Print a note for the user, once per job."""
    if rank() == 0:
        print(f'note: {note}', file=sys.stderr)


def start_distributed(cfg: Config) -> None:
    """On a machine without GPUs, connect the processes with gloo: mmengine's own start requires CUDA."""
    if cfg.launcher == 'pytorch' and not torch.cuda.is_available() and not dist.is_distributed():
        torch.distributed.init_process_group('gloo')
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )


def leave_process_group() -> None:
    """End the threads of the process group; Gloo's may otherwise abort the process when the interpreter exits."""
    if dist.is_distributed():
        gc.collect()  # a model in a reference cycle also holds the group
        torch.distributed.destroy_process_group()


def run(main: Callable[[], None]) -> None:
    """Run a command; a user's mistake ends it with one sentence and exit status 2.

    Mistakes are every ConfigError, and what mmengine refuses to build: an unknown type or argument.

    With several processes, the first one prints the sentence. The others wait, until the launcher ends them; they print
    it if the first one continues.

    MMKD_EXT_TRACEBACK=1 in the environment shows where the error was raised.
    """
    try:
        main()
        leave_process_group()
    except Exception as error:
        text = sentence(error) if isinstance(error, ConfigError) else refused(error)
        if text is None or os.environ.get('MMKD_EXT_TRACEBACK'):
            raise
        if rank():
            time.sleep(PATIENCE)
        print(f'error: {text}', file=sys.stderr)
        sys.exit(2)
