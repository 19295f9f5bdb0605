"""The error for wrong user input, and helpers for its message."""

import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_LIBRARIES = {'mmkd_ext', 'mmrazor', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain', 'mmseg', 'torch', 'torchvision'}
_KNOWN = _LIBRARIES | sys.stdlib_module_names
_OF_ARGUMENTS = re.compile(r'size|shape|dimension|channel|should contain|broadcast|expect|scalar type', re.IGNORECASE)
_OF_MACHINE = re.compile(r'cuda|cudnn|cublas|nccl|gloo|memory|device|backend', re.IGNORECASE)


class ConfigError(ValueError):
    """A config key, file or option is wrong; the message names it and says what was expected."""


def config_can_mend(error: BaseException) -> bool:
    """Whether a caught error means that a library's part got an input or setting that it does not support.

    Not if it comes from the user's own code, whose author needs its type and traceback, nor if the machine failed (out
    of memory, CUDA, NCCL).
    """
    if isinstance(error, ConfigError):
        return True
    if isinstance(error, RuntimeError):
        text = str(error)
        if type(error) is not RuntimeError or _OF_MACHINE.search(text) or not _OF_ARGUMENTS.search(text):
            return False
    elif not isinstance(error, (ValueError, TypeError, LookupError, AssertionError, AttributeError)):
        return False
    return {*_modules(error)} <= _KNOWN


def is_refusal(error: BaseException) -> bool:
    """Whether a caught error, raised while something was built, refuses an argument.

    It does if no user code was running, or if a constructor or mmengine's registry raised it. Any other failure in user
    code, or deeper in it, is a bug, whose author needs its type and traceback.
    """
    modules = _modules(error)
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    raised = frame.f_code.co_name in ('__init__', 'build_from_cfg')
    meant = modules[-1] in _LIBRARIES or isinstance(error, (ValueError, AssertionError))
    return isinstance(error, ConfigError) or {*modules} <= _KNOWN or (raised and meant)


def _modules(error: BaseException) -> list[str]:
    """The packages whose code was running when an error was raised; the one that raised it comes last."""
    frames = traceback.walk_tb(error.__traceback__)
    return [frame.f_globals.get('__name__', '').split('.')[0] for frame, _ in frames]


def sentence(error: BaseException) -> str:
    """The message of an error; that of a `KeyError` without the quotes that Python puts around it."""
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error)


def unreadable(path: str, error: BaseException) -> str:
    """The sentence for a config file that cannot be read: it runs as Python, so it can fail in any way."""
    if str(error).startswith('Failed to import custom modules'):  # mmengine's, with all of sys.path
        first = error
        while (cause := first.__cause__ or first.__context__) is not None:
            first = cause
        return (
            f'{path}: custom_imports fails ({type(first).__name__}: {first}); the folder that holds the module must be '
            'in PYTHONPATH (python -m mmkd_ext adds the current one).'
        )
    return f'{path} cannot be read ({type(error).__name__}: {error}).'


def listed(items: Sequence, count: int = 6) -> str:
    """The first few of many items, for messages.

    Examples:
        >>> listed([1, 2, 3], count=2)
        '1, 2, ...'
    """
    return ', '.join(map(str, items[:count])) + (', ...' if len(items) > count else '')


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """The part of a sentence that lists the names that `name` may have been meant to be.

    Examples:
        >>> nearest('nek', ['backbone', 'neck', 'roi_head'])
        "the nearest is 'neck'"
        >>> nearest('x', ['neck', 'roi_head'])
        "there are 'neck', 'roi_head'"
        >>> nearest('x', [])
        'there is none'
    """
    known = list(known)
    # Twice: a dotted path with one wrong part is close as a whole, one with a forgotten prefix at its end.
    close = get_close_matches(name, known, n=count, cutoff=0.6)
    close += [k for k in known if k.endswith('.' + name) and k not in close][: count - len(close)]
    if close:
        return ('the nearest is ' if len(close) == 1 else 'the nearest are ') + ', '.join(map(repr, close))
    if not known:
        return 'there is none'
    shown = ', '.join(map(repr, known[:8]))
    return f'there are {shown}' + (f' and {len(known) - 8} more' if len(known) > 8 else '')
