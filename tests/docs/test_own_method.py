"""docs/own_method.md, executed literally: its files are written, its commands are run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

PAGE = (ROOT / 'docs' / 'own_method.md').read_text()
FILES = dict(re.findall(r'```python title="(\S+)"\n(.*?)```', PAGE, re.DOTALL))
COMMANDS = '\n'.join(re.findall(r'```bash\n(.*?)```', PAGE, re.DOTALL))


@pytest.mark.slow
def test_its_files_and_commands_train_test_and_export(tmp_path: Path) -> None:
    assert len(FILES) == 3
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    env = {**os.environ, 'PATH': path, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    words = ['bash', '-euo', 'pipefail', '-c', COMMANDS]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert 'distill.loss_cosine: ' in done.stdout
    assert {path.name for path in (tmp_path / 'exported').iterdir()} == {'resnet_cosine.py', 'resnet_cosine.pth'}
