"""Make a frozen network faster: fold batch norms into convolutions, use channels-last maps and bfloat16."""

import functools
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from mmkd_ext.distillers.parts import to_float32
from mmkd_ext.recorders.base import map_tensors, tensors_in

TOLERANCE = 1e-5  # how much a record may change, as a fraction of its largest value
DTYPES = {'float32': None, 'float16': torch.float16, 'bfloat16': torch.bfloat16}
NOTHING = 'nothing was recorded'
_PARTS = ('backbone', 'neck')  # may run in another dtype; heads have operations that some dtypes lack


@torch.compiler.disable
def accelerate(
    model: nn.Module,
    run: Callable[[], Any],
    records: Callable[[], list[Tensor]],
    recorded: Collection[str],
    tolerance: float = TOLERANCE,
) -> str | None:
    """Fold batch norms into convolutions and make a network channels-last, if its records stay the same.

    A forward pass shows which batch norm follows which convolution; it is not guessed from the order of the modules.
    Further forwards check that the records stay the same up to rounding; otherwise the change is undone.

    Args:
        model: The frozen network, in eval mode, changed in place. A folded batch norm becomes an identity.
        run: Runs the network on a batch, until everything is recorded.
        records: Returns the tensors that the last run recorded.
        recorded: Names of the modules whose output is recorded, of those whose input is recorded, followed by `:input`,
            and of recorded parameters. A tensor between a convolution and its batch norm no longer exists after
            folding.
        tolerance: How much a record may change, as a fraction of its largest value.

    Returns:
        What was left unchanged, and why; None if nothing was. NOTHING if the records are empty and another batch is
        needed for the check.
    """
    with _watching(model) as pairs:
        run()
    before = [record.clone() for record in records()]
    if not any(record.numel() for record in before):
        return NOTHING
    modules = dict(model.named_modules())
    kept = [
        (modules[conv], modules[norm])
        for conv, norm in pairs.items()
        if conv not in recorded
        and f'{norm}:input' not in recorded
        and not any(name.startswith((f'{conv}.', f'{norm}.')) for name in recorded)
    ]
    reasons = []
    changes: dict[str, Callable[[], Callable[[], None]]] = {
        'batch norms are not folded': lambda: _fold(kept, model),
        'maps are not channels-last': lambda: _last(model),
    }
    for without, change in changes.items():
        undo = change()
        try:
            run()
            reason = _difference(before, records(), tolerance)
        except Exception as error:  # from code that looks into a layer that is gone
            reason = f'{type(error).__name__}: {error}'
        if reason is not None:
            undo()
            reasons.append(f'{without} ({reason})')
    run()
    return '; '.join(reasons) or None


@contextmanager
def _watching(model: nn.Module) -> Iterator[dict[str, str]]:
    """A context that finds convolutions whose output goes only to one batch norm, which has no other input.

    Afterwards the dict maps the name of each such convolution to that of its batch norm.
    """
    made: dict[int, tuple[Any, int, str | None]] = {}  # by a tensor's id: a reference, its version, its module
    flows: Counter[tuple[str | None, str]] = Counter()
    calls: Counter[str] = Counter()
    pairs: dict[str, str] = {}

    def note(output: Tensor, name: str) -> None:
        calls[name] += 1
        if isinstance(output, Tensor):
            made[id(output)] = (weakref.ref(output), output._version, name)

    def follow(args: tuple, name: str) -> None:
        calls[name] += 1
        tensor, version, source = made.get(id(args[0]), (None, 0, None))
        same = tensor is not None and tensor() is args[0] and version == args[0]._version
        flows[source if same else None, name] += 1

    handles = []
    for name, module in model.named_modules():
        if _is_conv(module):
            handles.append(module.register_forward_hook(lambda _, __, output, name=name: note(output, name)))
        elif _is_norm(module):
            handles.append(module.register_forward_pre_hook(lambda _, args, name=name: follow(args, name)))
    try:
        yield pairs
    finally:
        for handle in handles:
            handle.remove()
    for (conv, norm), count in flows.items():
        if conv is not None and count == calls[conv] == calls[norm]:
            pairs[conv] = norm


def _is_conv(module: nn.Module) -> bool:
    """Whether each output channel is linear in its slice of `weight`; not the case with standardised weights."""
    if not isinstance(module, nn.Conv2d) or type(module)._conv_forward is not nn.Conv2d._conv_forward:
        return False
    kind = type(module)
    return (
        kind.forward is nn.Conv2d.forward or f'{kind.__module__}.{kind.__name__}' == 'mmcv.cnn.bricks.wrappers.Conv2d'
    )


def _is_norm(module: nn.Module) -> bool:
    """Whether a batch norm scales and shifts by its running statistics."""
    if not isinstance(module, nn.modules.batchnorm._BatchNorm) or module.training or module.running_var is None:
        return False
    return type(module).forward in (nn.BatchNorm2d.forward, nn.SyncBatchNorm.forward)


def _fold(pairs: list[tuple[Any, Any]], model: nn.Module) -> Callable[[], None]:
    """Fold batch norms into convolutions; returns a function that undoes it."""
    convs = [(conv, conv.weight, conv.bias) for conv, _ in pairs]
    places = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent._modules.items()
        if any(child is norm for _, norm in pairs)
    ]
    for conv, norm in pairs:
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        conv.requires_grad_(False)
    for parent, name, _ in places:
        parent._modules[name] = nn.Identity()

    def undo() -> None:
        for conv, weight, bias in convs:
            conv.weight, conv.bias = weight, bias
        for parent, name, child in places:
            parent._modules[name] = child

    return undo


def _last(model: nn.Module) -> Callable[[], None]:
    """Make convolutions channels-last; returns a function that undoes it.

    mmcv's own operations (RoIAlign, deformable convolution) misread such maps on a CPU, so they get contiguous ones.
    """
    weights: list[Tensor] = [module.weight for module in model.modules() if _is_conv(module)]  # type: ignore[misc]
    kept = [weight.data for weight in weights]
    for weight in weights:
        weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    handles = [
        module.register_forward_pre_hook(lambda _, args: map_tensors(Tensor.contiguous, args))
        for module in model.modules()
        if type(module).__module__.startswith('mmcv.ops')
    ]

    def undo() -> None:
        for weight, data in zip(weights, kept, strict=True):
            weight.data = data
        for handle in handles:
            handle.remove()

    return undo


def _difference(before: list[Tensor], after: list[Tensor], tolerance: float) -> str | None:
    """The part of a sentence that describes records that differ by more than the tolerance, if any."""
    for a, b in zip(before, after, strict=True):
        if a.shape != b.shape:
            return f'a record of shape {tuple(a.shape)} becomes {tuple(b.shape)}'
        if a.numel() and not a.is_floating_point():
            if not torch.equal(a, b):
                return 'a record of whole numbers changes'
        elif a.numel():
            worst = ((a - b).abs().max() / a.abs().max().clamp(min=1e-12)).item()
            if not worst <= tolerance:
                return f'a record changes by {worst:.0e} of its largest value'
    return None


def run_in(model: nn.Module, dtype: torch.dtype) -> None:
    """Let backbone and neck compute in a shorter dtype, as autocast does; their outputs are float32 again.

    Args:
        model: The frozen network, changed in place: weights of convolutions and linear layers in these parts are kept
            in `dtype`.
        dtype: torch.float16 or torch.bfloat16.
    """
    for name in _PARTS:
        part = getattr(model, name, None)
        if isinstance(part, nn.Module):
            for module in part.modules():
                if isinstance(module, (nn.Conv2d, nn.Linear)):
                    module.to(dtype)
            part.forward = _autocast(part.forward, dtype)


def _autocast(forward: Callable[..., Any], dtype: torch.dtype) -> Callable[..., Any]:
    @functools.wraps(forward)
    def run(*args: Any, **kwargs: Any) -> Any:
        device = next(tensor.device.type for tensor in tensors_in([args, kwargs]))
        with torch.autocast(device, dtype):
            return map_tensors(to_float32, forward(*args, **kwargs))

    return run
