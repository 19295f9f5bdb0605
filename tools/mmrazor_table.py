#!/usr/bin/env python
"""Compare MMRazor's own distillation configs in its engine and in ours: tools/mmrazor_table.py [NAME...] [--docs FILE].

Each config of MMRazor's wheel takes one training step on a tiny random batch in both engines, with the same random
weights and without downloads, and the losses and gradients are compared. Only its `_scope_` is changed for ours; names
of mmcls and mmdet 2 are corrected for both. Two things are set by hand on MMRazor's side: the whole teacher is in eval
mode, like ours, and in-place modules are made out-of-place, for which MMRazor's own switch has no effect on torch 2.5
and later.

Each config runs in a separate process. Results are kept as JSON lines, and existing ones are not run again.
"""

import argparse
import copy
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import HOOKS, MODELS, DefaultScope
from mmengine.runner import set_random_seed
from mmengine.visualization import Visualizer
from torch import Tensor, nn

from mmkd_ext import cli
from mmkd_ext.benchmark.data import random_batch
from mmkd_ext.benchmark.networks import settle
from mmkd_ext.build import model_config
from mmkd_ext.compat import import_mmrazor
from mmkd_ext.errors import ConfigError, sentence
from mmkd_ext.old_names import config_today

CLOSE = 1e-5  # relative; the tolerance for "same"
MARKS = ('<!-- tools/mmrazor_table.py writes from here -->', '<!-- to here -->')


def configs() -> list[Path]:
    """The distillation configs of the wheel."""
    spec = find_spec('mmrazor')
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError('mmrazor is not installed; pip install mmrazor==1.0.0.')
    return sorted((Path(spec.submodule_search_locations[0]) / '.mim/configs/distill').rglob('*.py'))


def has_old_names(path: Path) -> bool:
    """Whether names in the config or its bases are corrected."""
    cfg = Config.fromfile(path)
    given = cfg.to_dict()
    return 'mmcls::' in cfg.text or config_today(copy.deepcopy(given)) != given


def offline(model: Any) -> Any:
    """A copy of a model's config that downloads no weights; MMRazor's own models in it are expanded."""
    if isinstance(model, dict) and str(model.get('cfg_path')).startswith('mmrazor::'):
        model = model_config(dict(cfg_path=model['cfg_path']), 'model')  # the files use names of mmcls
    if isinstance(model, dict):
        kept = {key: offline(value) for key, value in model.items() if not _fetches(key, value)}
        return type(model)({**kept, **({'pretrained': False} if 'cfg_path' in kept else {})})
    return [offline(item) for item in model] if isinstance(model, list) else copy.deepcopy(model)


def _fetches(key: str, value: Any) -> bool:
    names_a_file = key == 'init_cfg' and isinstance(value, dict) and value.get('type') == 'Pretrained'
    return names_a_file or key in ('teacher_ckpt', 'ckpt_path')


def batch(cfg: Config) -> dict:
    """A tiny batch in the form of the config's data loader."""
    count, size = dict(mmdet=(2, 128), mmseg=(2, 128)).get(cfg.default_scope, (4, 64))
    if 'cifar' in str(cfg.get('train_dataloader', {}).get('dataset', {}).get('type', '')).lower() or 'CRD' in cfg.text:
        size = 32
    torch.manual_seed(1)
    data = random_batch(cfg, count, size)
    if 'CRDLoss' in cfg.text:
        for i, sample in enumerate(data['data_samples']):
            sample.sample_idx = torch.tensor(i)
            sample.contrast_sample_idxs = torch.cat([torch.tensor([i]), torch.randint(0, 50000, (16384,))])
    return data


def theirs(cfg: Config, data: dict) -> Any:
    """MMRazor's model, with weights that give reasonable features."""
    import_mmrazor()
    set_random_seed(0)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(dict(offline(cfg.model), data_preprocessor=_preprocessor(cfg)))
    inputs = model.data_preprocessor(copy.deepcopy(data), True)['inputs']
    for part in (model.architecture, *([model.teacher] if hasattr(model, 'teacher') else [])):
        settle(part, inputs)
    for module in model.modules():
        if hasattr(module, 'inplace'):
            module.inplace = False
    if hasattr(model.distiller, 'init_ofd_connectors'):
        model.distiller.init_ofd_connectors(model.teacher)
    model.train()
    if hasattr(model, 'teacher'):
        model.teacher.eval()
    return model


def ours(cfg: Config, weights: dict[str, Tensor] | None, folder: Path, **changes: Any) -> Any:
    """Our model from the same config, apart from its scope, with the weights of MMRazor's if there are any."""
    changed = dict(offline(cfg.model), _scope_='mmkd_ext', data_preprocessor=_preprocessor(cfg), **changes)
    if 'teacher' in changed:
        changed.update(teacher_strict=False, teacher_fold=0.0)  # which would change losses by rounding
    if weights and 'teacher' in changed:
        file = folder / 'teacher.pth'
        mark = 'teacher.'
        torch.save({k.removeprefix(mark): v for k, v in weights.items() if k.startswith(mark)}, file)
        changed.update(teacher_ckpt=str(file), teacher_strict=True)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(changed)
    if weights:
        missing, _ = model.load_state_dict(weights, strict=False)
        if missing:
            raise RuntimeError(f'MMRazor has no {missing[0]}')
    return model.train()


def _preprocessor(cfg: Config) -> Any:
    """The config's data_preprocessor, which mmengine's runner passes to a model without one."""
    return copy.deepcopy(cfg.model.get('data_preprocessor', cfg.get('data_preprocessor')))


def step(model: Any, data: dict) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The losses of a batch, and the gradients under the student's and the distiller's own names."""
    model.architecture.register_forward_pre_hook(_seed)  # earlier random draws do not matter
    losses = model(**model.data_preprocessor(copy.deepcopy(data), True), mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    flat = {k: torch.stack(v) if isinstance(v, (list, tuple)) else v for k, v in losses.items()}
    gradients = {k.removeprefix('architecture.'): p.grad for k, p in model.named_parameters() if p.grad is not None}
    return {k: v.detach() for k, v in flat.items()}, gradients


def _seed(*_: Any) -> None:
    set_random_seed(5)


def free_step(model: Any, data: dict) -> None:
    """A step of MMRazor's distillation without data, which trains a generator next to the student."""
    model.generator = _Wrapped(model.generator)  # it expects the wrapper of a distributed run
    parts = dict(architecture=model.architecture, generator=model.generator)
    optimizers = {name: OptimWrapper(torch.optim.SGD(part.parameters(), lr=1e-3)) for name, part in parts.items()}
    model.train_step(data, OptimWrapperDict(**optimizers))


class _Wrapped(nn.Module):
    """Wraps a model like a distributed run."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The model's own forward."""
        return self.module(*args, **kwargs)


def initialise_hooks(cfg: Config, model: Any) -> None:
    """Let MMRazor's visualisation hook find its records in the model."""
    for hook in cfg.default_hooks.values():
        if hook.get('type') == 'RazorVisualizationHook':
            Visualizer.get_instance('table')
            HOOKS.build(copy.deepcopy(hook)).before_run(SimpleNamespace(model=model))


def difference(expected: dict[str, Tensor], found: dict[str, Tensor], together: bool) -> float:
    """The largest relative difference, of each tensor or of all together; infinite if the names differ."""
    if set(expected) != set(found):
        return float('inf')
    apart = {name: (found[name] - value).norm().item() for name, value in expected.items()}
    size = {name: value.norm().item() for name, value in expected.items()}
    if together:
        return sum(a**2 for a in apart.values()) ** 0.5 / max(sum(s**2 for s in size.values()) ** 0.5, 1e-30)
    return max(a / max(size[name], 1e-12) if a else 0.0 for name, a in apart.items())


def compare(path: Path) -> dict[str, Any]:
    """A row of the table."""
    row: dict[str, Any] = dict(config=path.stem, there=False, here=False)
    try:
        cfg = cli.read_config(str(path))
    except ConfigError as error:
        return dict(row, reason=str(error).partition('(')[2].rstrip(').') or str(error))
    if 'model' not in cfg:
        return dict(row, reason='a data set without a model')
    row['renamed'] = has_old_names(path)
    data = batch(cfg)
    expected = weights = None
    try:
        other = theirs(cfg, data)
        weights = copy.deepcopy(other.state_dict())  # before the step, which changes the state of losses
        initialise_hooks(cfg, other)
        if 'DataFree' in cfg.model.type:
            free_step(other, copy.deepcopy(data))
        else:
            expected = step(other, data)
        row['there'] = True
    except Exception as error:
        row['reason'] = _said(error)
    try:
        return dict(row, **run_here(cfg, data, weights, expected), here=True)
    except Exception as error:
        return dict(row, reason_here=_said(error))


def run_here(cfg: Config, data: dict, weights: dict[str, Tensor] | None, expected: Any) -> dict[str, Any]:
    """A step in our engine, and its comparison with MMRazor's, if there is one."""
    found: dict[str, Any] = {}
    cfg = copy.deepcopy(cfg)
    cfg.model['_scope_'] = 'mmkd_ext'
    cli.bring_to_ours(cfg)
    with tempfile.TemporaryDirectory() as folder:
        model = ours(cfg, weights, Path(folder))
        if expected is not None and hasattr(model, 'teacher') and not model.teacher.pixels.identity:
            found['pixels'] = True
            step(model, data)
            model = ours(cfg, weights, Path(folder), teacher_pixels='student')
    initialise_hooks(cfg, model)
    losses, gradients = step(model, data)
    if expected is not None:
        found['losses'] = difference(expected[0], losses, together=False)
        found['gradients'] = difference(expected[1], gradients, together=True)
    return found


def _said(error: Exception) -> str:
    return ' '.join(sentence(error).split())[:400] or type(error).__name__


def run_all(names: list[str], results: Path) -> None:
    """Compare each config that has no result yet, in a separate process."""
    done = {row['config'] for row in read(results)}
    for path in configs():
        if path.stem in done or (names and not any(name in str(path) for name in names)):
            continue
        command = [sys.executable, __file__, '--one', str(path)]
        child = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [line for line in child.stdout.splitlines() if line.startswith('{"config"')]
        last = (child.stderr.strip().splitlines() or ['no output'])[-1]
        row = json.loads(lines[-1]) if lines else dict(config=path.stem, there=False, here=False, reason=last)
        results.parent.mkdir(parents=True, exist_ok=True)
        with results.open('a') as file:
            file.write(json.dumps(row) + '\n')
        print(json.dumps(row), flush=True)


def read(results: Path) -> list[dict]:
    """The rows so far."""
    return [json.loads(line) for line in results.read_text().splitlines()] if results.is_file() else []


def table(rows: Iterable[dict]) -> str:
    """The rows as a Markdown table."""
    lines = ['| config | in MMRazor | here | losses | gradients | |', '|---|---|---|---|---|---|']
    for row in rows:
        here = ('yes, names corrected' if row.get('renamed') else 'yes') if row['here'] else 'no'
        values = [_difference(row.get(key)) for key in ('losses', 'gradients')]
        note = (row.get('reason_here') or row.get('reason', '')).split('. ')[0].rstrip('.')  # its first sentence
        if row['here']:
            note = f'not in MMRazor: {note}' if note else ''
        if row.get('pixels'):
            note = "with `teacher_pixels='student'`; else the teacher gets images in its own normalisation"
        note = note.replace('|', '/')
        lines.append(
            f'| `{row["config"]}` | {"yes" if row["there"] else "no"} | {here} | {values[0]} | {values[1]} | {note} |'
        )
    return '\n'.join(lines)


def _difference(value: float | None) -> str:
    if value is None:
        return ''
    return 'same' if value <= CLOSE else f'{value:.1e} apart'


def write(docs: Path, text: str) -> None:
    """Put the table between the marks of a page."""
    before, _, rest = docs.read_text().partition(MARKS[0])
    docs.write_text(f'{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{rest.partition(MARKS[1])[2]}')


def main() -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='NAME', help='only configs whose path contains one of these')
    parser.add_argument('--results', type=Path, default=Path('work_dirs/mmrazor_table.jsonl'), help='JSON lines')
    parser.add_argument('--docs', type=Path, help='page whose table is replaced')
    parser.add_argument('--one', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(compare(args.one)))
        return
    run_all(args.names, args.results)
    order = [path.stem for path in configs()]
    text = table(sorted(read(args.results), key=lambda row: order.index(row['config'])))
    print(text)
    if args.docs:
        write(args.docs, text)


if __name__ == '__main__':
    cli.run(main)
