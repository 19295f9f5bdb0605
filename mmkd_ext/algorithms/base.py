"""A student with a distiller attached, for mmengine's Runner; to everything else it looks like the student."""

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine import dist
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.model import BaseModel, revert_sync_batchnorm
from torch import Tensor, nn

from mmkd_ext.algorithms.finite import FiniteCheck
from mmkd_ext.build import build_part, build_student, ours_for_mmrazors, unknown_argument
from mmkd_ext.checkpoints import load_checkpoint_file, load_weights, weights_of
from mmkd_ext.distillers.mapping import DISTILLER_KEY
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.base import tensors_in
from mmkd_ext.registry import MODELS

_OWN = ('distiller', 'teacher', 'architecture')
# What a module keeps in its `__dict__` and the algorithm shares with the student. The hooks rename saved weights in
# some models (mmpretrain's TimmClassifier).
_SHARED = (
    '_parameters', '_buffers', '_non_persistent_buffers_set', '_state_dict_hooks', '_state_dict_pre_hooks',
    '_load_state_dict_post_hooks',
)  # fmt: skip


class DistillAlgorithm(BaseModel):
    """Base of the algorithms: shares the student's modules, parameters and names, and adds a distiller.

    The student's children are this module's children under the same names, so parameters, checkpoints, optimiser rules
    by name (`paramwise_cfg`, layer decay) and hooks that look for `model.bbox_head` see the student. Only the
    distiller's parts are added, under `distiller.`. Attributes that are not found here are looked up in the student.

    Args:
        architecture: The student: package path, config file, dict, or MMRazor's `dict(cfg_path=...)`.
        distiller: Config of the distiller.
        data_preprocessor: Replaces the student's; if it has the same type, or no `type`, only the keys that it gives.
        init_cfg: Replaces the student's. With type `Pretrained`, it loads a checkpoint, ours or MMRazor's, into student
            and connectors after the student's initialisation; a warning lists what the file lacks.
        student_trainable: False freezes the student, so that only connectors train.
        calculate_student_loss: False leaves out the student's own losses. Parts that only these train keep their
            weights; with several processes, whose gradients are then 0 and not absent, weight decay still shrinks them.
        **unknown: Refused, with the nearest known name.

    Raises:
        ConfigError: If the student cannot be built, or a recorder's source is not in it.
    """

    _initialised = False

    def __init__(
        self,
        architecture: Any = None,
        distiller: Any = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | None = None,
        student_trainable: bool = True,
        calculate_student_loss: bool = True,
        module_inplace: bool = True,  # MMRazor's switch; records are safe here either way
        **unknown: Any,
    ) -> None:
        if {*unknown} == {'pretrained', 'train_cfg'} and not any(unknown.values()):  # set by mmseg's `init_model`
            raise ConfigError(
                f'model: {type(self).__name__} is for training; for inference, use the plain config of its student, '
                'mmkd_ext.export.config.student_config(FILE).'
            )
        if unknown:
            raise unknown_argument(next(iter(unknown)), type(self), 'model')
        initial = init_cfg['checkpoint'] if init_cfg and init_cfg.get('type') == 'Pretrained' else None
        if initial:
            init_cfg = None
        student: Any = build_student(architecture, data_preprocessor, init_cfg)
        if not isinstance(student, BaseModel):
            raise ConfigError(
                f'model.architecture must be a whole model, but {type(student).__name__} is only a part of '
                "one; give the whole model, such as dict(type='mmpretrain.ImageClassifier', backbone=...)."
            )
        clash = [name for name, _ in student.named_children() if name in _OWN]
        if clash:
            raise ConfigError(
                f'model.architecture: {type(student).__name__} has a part named {clash[0]!r}, a name that is reserved '
                'here.'
            )
        on_cpu = get_device() == 'cpu'  # where SyncBN does not work, and mmengine reverts it only for a single process
        if on_cpu:
            student = revert_sync_batchnorm(student)
        super().__init__(data_preprocessor=student.data_preprocessor)
        self._adopt(student)
        self.initial = initial
        self.distiller = build_part(ours_for_mmrazors(distiller), MODELS, DISTILLER_KEY)
        if on_cpu:
            self.distiller = revert_sync_batchnorm(self.distiller)
        self.distiller.student_recorders.check(student)
        self.student_trainable = student_trainable
        if not student_trainable:
            student.requires_grad_(False)
        self.calculate_student_loss = calculate_student_loss
        self.finite = FiniteCheck()

    @property
    def distillation_stopped(self) -> bool:
        """Whether distillation is off; a hook such as MMRazor's `StopDistillHook` may set it."""
        return bool(self.distiller.stopped) and not self.distiller.active

    @distillation_stopped.setter
    def distillation_stopped(self, stopped: bool) -> None:
        if stopped:
            self.distiller.stop(self.distiller.wiring)
        else:
            self.distiller.stopped.clear()

    def _adopt(self, student: BaseModel) -> None:
        """Make the student's children, parameters, buffers and hooks on saved weights this module's own."""
        self.__dict__['architecture'] = student  # bypasses nn.Module's registration: no second name for the weights
        for name, child in student.named_children():
            self._modules[name] = child
        for store in _SHARED:
            self.__dict__[store] = student.__dict__[store]

    @property
    def student(self) -> BaseModel:
        """The student."""
        return self.__dict__['architecture']

    def __getattr__(self, name: str) -> Any:
        """Look up in the student what is not found here."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith('__') or 'architecture' not in self.__dict__:
                raise
            return getattr(self.__dict__['architecture'], name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Replace a part also in the student, whose forward runs it; change the student's attribute, if it has one."""
        if self._initialised and name not in vars(self) and name in vars(self.student):
            setattr(self.student, name, value)  # by a hook, once all attributes of the algorithm itself are there
            return
        super().__setattr__(name, value)
        self._mirror(name)

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """Same as in `nn.Module`; see `__setattr__`."""
        super().add_module(name, module)
        self._mirror(name)

    def _mirror(self, name: str) -> None:
        student = self.__dict__.get('architecture')
        if student is not None and name in student._modules:
            student._modules[name] = self._modules[name]

    def train(self, mode: bool = True) -> 'DistillAlgorithm':
        """Same as in `nn.Module`; also sets the student's mode."""
        self.finite.finish()
        super().train(mode)
        self.student.train(mode and self.student_trainable)
        return self

    def init_weights(self) -> None:
        """Initialise the student as its config says; then load the file of an `init_cfg` of type `Pretrained`.

        Raises:
            ConfigError: If that file has no weights of the student, or weights of other shapes.
        """
        self.student.init_weights()
        self.__dict__['_initialised'] = True
        for module in self.distiller.modules():
            if hasattr(module, 'init_weights') and not getattr(module, 'is_init', False):
                module.init_weights()
        if self.initial:
            self._load_initial(self.initial)

    def _load_initial(self, file: str) -> None:
        key = 'model.init_cfg.checkpoint'
        try:
            content = load_checkpoint_file(file, map_location='cpu')
        except ConfigError as error:
            raise ConfigError(f'{key}: {error}') from None
        weights = weights_of(content, f'{key}: {file}', without=('teacher.',))
        if not set(weights) & set(self.student.state_dict()):
            raise ConfigError(f'{key}: {file} holds no weights of this student.')
        missing, _ = load_weights(self, weights, f'{key}: {file} does not belong to this model')
        if missing:
            print_log(f'{key}: {file} has no {", ".join(missing)}.', 'current', logging.WARNING)

    def _save_to_state_dict(self, *args: Any, **kwargs: Any) -> None:
        """Same as in `nn.Module`; raises if a loss was not finite, so that no such checkpoint is written."""
        self.finite.finish()
        super()._save_to_state_dict(*args, **kwargs)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, metadata: dict, strict: bool, missing: list, unexpected: list, errors: list
    ) -> None:
        """Accept the student's names and, from MMRazor's checkpoints, names with `architecture.` in front.

        Raises:
            ConfigError: If no name is the student's, which mmengine would only report in a page of text.
        """
        old = f'{prefix}architecture.'
        for key in [key for key in state_dict if key.startswith(old)]:
            state_dict[prefix + key.removeprefix(old)] = state_dict.pop(key)
        # The student does not know the distiller next to it, which itself reports what it lacks, and may rename all
        # weights that it gets.
        distillers = {key: state_dict.pop(key) for key in list(state_dict) if key.startswith(f'{prefix}distiller.')}
        self.student._load_from_state_dict(state_dict, prefix, metadata, strict, missing, unexpected, errors)
        state_dict.update(distillers)
        ours = {*self._modules, *self._parameters, *self._buffers}
        heads = {key.removeprefix(prefix).split('.')[0] for key in state_dict}
        if heads and not heads & ours:
            raise ConfigError(
                f'load_from: the checkpoint has no weight of the student; its names begin with '
                f'{", ".join(map(repr, sorted(heads)[:4]))}, those of {type(self.student).__name__} with '
                f'{", ".join(map(repr, dict(self.student.named_children())))}.'
            )

    def forward(self, inputs: Any, data_samples: Any = None, mode: str = 'tensor') -> Any:
        """Same as in mmengine's models; `loss` trains with distillation, `predict` and `tensor` are the student's."""
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        return self.student(inputs, data_samples, mode=mode)

    def loss(self, inputs: Any, data_samples: Any = None) -> dict[str, Any]:
        """The losses of a batch: `student.*` as the student computes them, `distill.*` from the distiller.

        A subclass with another loss overrides `losses_of_records`, which preflights and benchmarks call as well.

        Args:
            inputs: Images (B, C, H, W), preprocessed for the student.
            data_samples: Annotations of the student's toolbox.
        """
        if self.distillation_stopped:
            return {**self._student_losses(inputs, data_samples), **self._stopped_losses()}
        with self.recorded(inputs, data_samples) as losses:
            return {**losses, **self.losses_of_records(data_samples)}

    @contextmanager
    def recorded(self, inputs: Any, data_samples: Any = None) -> Iterator[dict[str, Any]]:
        """A context with the student's losses, in which the recorders hold the records of a step.

        Args:
            inputs: As in `loss`.
            data_samples: As in `loss`.
        """
        try:
            yield self._run_networks(inputs, data_samples)
        finally:
            self.distiller.clear()

    def _run_networks(self, inputs: Any, data_samples: Any) -> dict[str, Any]:
        """Run student and teachers with the recorders attached; returns the student's losses."""
        raise NotImplementedError

    def idle_losses(self) -> Collection[str]:
        """The losses for which this process has nothing to compare in this step."""
        return ()

    def _student_losses(self, inputs: Any, data_samples: Any) -> dict[str, Any]:
        """Run the student with its recorders attached; returns its losses, prefixed, or none if they are not wanted."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.student_trainable):
            losses = self.student(inputs, data_samples, mode='loss')
        if not self.calculate_student_loss:
            if not dist.is_distributed():
                return {}  # no gradient at all, so weight decay does not change the head
            return self._in_graph('student.loss_unused', tensors_in(losses))
        return {f'student.{name}': value for name, value in losses.items()}

    def losses_of_records(self, data_samples: Any) -> dict[str, Tensor]:
        """The distiller's losses, prefixed; called exactly once in each step, inside `recorded`.

        Args:
            data_samples: Annotations of the batch.

        Raises:
            ConfigError: In the first step, if a loss does not train what it should.
            FloatingPointError: If a loss is not finite; names the loss and the batch's images. See `FiniteCheck`.
        """
        losses = self.distiller.compute_distill_losses(self.idle_losses())
        self.distiller.synchronise()
        trained = self.student_trainable and any(p.requires_grad for p in self.student.parameters())
        self.distiller.check_gradients(losses, self.student if trained else None)
        self.finite.add(losses, data_samples)
        return {**{f'distill.{name}': value for name, value in losses.items()}, **self._stopped_losses()}

    def _stopped_losses(self) -> dict[str, Tensor]:
        """A zero for each stopped loss, so that the log does not keep repeating its last value.

        The parameters that only these losses use stay in the graph, as distributed training expects.
        """
        zero = torch.zeros((), device=self.data_preprocessor.device)
        zeros = {f'distill.{name}': zero.clone() for name in self.distiller.wiring if name in self.distiller.stopped}
        for name in list(zeros)[:1]:
            zeros |= self._in_graph(name, self.distiller.idle_parameters())
        return zeros

    @staticmethod
    def _in_graph(name: str, tensors: Iterable[Tensor]) -> dict[str, Tensor]:
        """A zero that keeps `tensors` in the graph, as distributed training expects of trained tensors; or nothing."""
        total = sum((tensor.sum() for tensor in tensors if tensor.requires_grad), torch.zeros(()))
        return {name: total * 0.0} if isinstance(total, Tensor) and total.requires_grad else {}
