"""The hook of docs/performance.md shards a teacher over two processes, and the losses are those of a whole one."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support import MINI, ROOT

PAGE = (ROOT / 'docs' / 'performance.md').read_text()
(HOOK,) = re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL)
NOTE = """

@HOOKS.register_module()
class NoteShardsHook(Hook):
    def after_train(self, runner) -> None:
        (taught,) = runner.model.module.taught.values()
        parameters = [*taught.teacher.model.backbone.parameters(), *taught.teacher.model.neck.parameters()]
        print('sharded:', any(hasattr(parameter, 'to_local') for parameter in parameters), flush=True)
"""
CONFIG = f"""
_base_ = '{MINI}/faster_rcnn_cwt.py'
custom_imports = dict(imports=['mmkd_ext', 'run_hooks', 'shard_teacher'])
model = dict(teacher_fold=0)
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False)
train_cfg = dict(max_epochs=1)
val_cfg = val_dataloader = val_evaluator = None
"""


@pytest.mark.slow
def test_a_sharded_teacher_says_the_same(command: Callable, digits: Path, tmp_path: Path) -> None:
    (tmp_path / 'shard_teacher.py').write_text(HOOK + NOTE)
    found = {}
    for port, (name, hooks) in enumerate(dict(whole=[], sharded=['ShardTeacherHook']).items(), 29521):
        out = tmp_path / f'{name}.json'
        types = [dict(type=hook) for hook in (*hooks, 'NoteShardsHook')]
        (tmp_path / f'{name}.py').write_text(
            f"{CONFIG}train_dataloader['dataset'] = dict(data_root='{digits}/')\n"
            f'custom_hooks = {[*types, dict(type="WriteLossesHook", path=str(out))]}\n'
        )
        words = ['--work-dir', tmp_path / name]
        path = f'{tmp_path}:{ROOT}/tests/runs'
        done = command('tools/dist_train.sh', tmp_path / f'{name}.py', 2, *words, PORT=str(port), PYTHONPATH=path)
        assert done.returncode == 0, done.stderr
        assert f'sharded: {name == "sharded"}' in done.stdout
        found[name] = json.loads(out.read_text())
    assert len(found['whole']) > 2
    for a, b in zip(found['whole'], found['sharded'], strict=True):
        assert b['distill.loss_cwt'] == pytest.approx(a['distill.loss_cwt'], rel=1e-5)
