"""Running a command: its processes, what it says, how it ends."""

import gc
import os
import sys
import time
from collections.abc import Callable

import torch
from mmengine import dist
from mmengine.config import Config

from mmkd_ext.distributed import rank
from mmkd_ext.errors import ConfigError, sentence

PATIENCE = 5.0  # seconds that a process other than the first leaves to the first to say what is wrong


def say(note: str) -> None:
    """Tell the user something, once a job."""
    if rank() == 0:
        print(f'note: {note}', file=sys.stderr)


def start_distributed(cfg: Config) -> None:
    """On a machine without GPUs, connect the processes by gloo: mmengine's own start insists on CUDA."""
    if cfg.launcher == 'pytorch' and not torch.cuda.is_available() and not dist.is_distributed():
        torch.distributed.init_process_group('gloo')
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )


def leave_process_group() -> None:
    """End the threads of the process group; Gloo's may else abort the process while the interpreter ends."""
    if dist.is_distributed():
        gc.collect()  # a model in a cycle of references holds the group, too
        torch.distributed.destroy_process_group()


def run(main: Callable[[], None]) -> None:
    """Run a command; a user's mistake ends it with one sentence and exit status 2.

    Of several processes the first says it. Another one waits, and is ended by the launcher meanwhile; it speaks where
    the first goes on.

    MMKD_EXT_TRACEBACK=1 in the environment shows where it was raised.
    """
    try:
        main()
        leave_process_group()
    except ConfigError as error:
        if os.environ.get('MMKD_EXT_TRACEBACK'):
            raise
        if rank():
            time.sleep(PATIENCE)
        print(f'error: {sentence(error)}', file=sys.stderr)
        sys.exit(2)
