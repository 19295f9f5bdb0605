"""The error that a user's input causes, and the help that its sentence gives."""

from collections.abc import Iterable
from difflib import get_close_matches


class ConfigError(ValueError):
    """A config key, file or option is wrong; the message names it and says what was expected."""


def sentence(error: BaseException) -> str:
    """The message of an error before mmengine's registry put the names of classes in front of it."""
    inner = error
    while str(inner).startswith('class `') and inner.__context__ is not None:
        inner = inner.__context__
    return str(inner.args[0] if isinstance(inner, KeyError) and inner.args else inner)


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """Half a sentence that names what `name` may have been meant for.

    Examples:
        >>> nearest('nek', ['backbone', 'neck', 'roi_head'])
        "the nearest is 'neck'"
        >>> nearest('x', ['neck', 'roi_head'])
        "there are 'neck', 'roi_head'"
        >>> nearest('x', [])
        'there is none'
    """
    known = list(known)
    # Twice: a dotted path that is right but for one part is close as a whole, a forgotten prefix by its end.
    close = get_close_matches(name, known, n=count, cutoff=0.6)
    close += [k for k in known if k.endswith('.' + name) and k not in close][: count - len(close)]
    if close:
        return ('the nearest is ' if len(close) == 1 else 'the nearest are ') + ', '.join(map(repr, close))
    if not known:
        return 'there is none'
    shown = ', '.join(map(repr, known[:8]))
    return f'there are {shown}' + (f' and {len(known) - 8} more' if len(known) > 8 else '')
