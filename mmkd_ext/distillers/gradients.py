"""Where the gradient of a loss goes, read off autograd's graph without a backward pass."""

from typing import Any

from torch import Tensor, nn

from mmkd_ext.recorders.base import Recorder
from mmkd_ext.recorders.parameter import ParameterRecorder


class Reach:
    """The tensors that a loss sends a gradient to, as a container: `tensor in Reach(loss)`."""

    def __init__(self, loss: Tensor) -> None:
        self._nodes: set[Any] = set()
        ahead = [loss.grad_fn]
        while ahead:
            node = ahead.pop()
            if node is not None and node not in self._nodes:
                self._nodes.add(node)
                ahead += [before for before, _ in node.next_functions]
        self._leaves = {id(node.variable) for node in self._nodes if hasattr(node, 'variable')}

    def __contains__(self, tensor: Tensor) -> bool:
        return tensor.grad_fn in self._nodes if tensor.grad_fn is not None else id(tensor) in self._leaves


def why_none(model: nn.Module, recorder: Recorder) -> str:
    """Half a sentence on what a recorder gives that carries no gradient, though `model` is trained."""
    source = recorder.source
    if isinstance(recorder, ParameterRecorder):
        return f'the parameter {source} is frozen (frozen_stages?)'
    modules = dict(model.named_modules())
    parts = source.split('.')
    around = ['.'.join(parts[:i]) for i in range(len(parts) - 1, 0, -1)]
    for name in around if source in modules else []:
        if getattr(modules[name], 'with_cp', False):
            return (
                f'{source} is inside {name}, which runs under activation checkpointing and keeps no graph: set '
                f'with_cp=False, or record what {name} returns'
            )
    return f'{source} is of a frozen stage (frozen_stages), under activation checkpointing (with_cp) or behind a detach'
