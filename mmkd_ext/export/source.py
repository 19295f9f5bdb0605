"""The backbones of this package that are exported with a student, as files that only need mmengine."""

import inspect
import shutil
from pathlib import Path
from typing import Any

from mmkd_ext.errors import ConfigError
from mmkd_ext.models import BACKBONES, base
from mmkd_ext.registry import MODELS

_PACKAGE = """\"\"\"The backbones of {student} that no toolbox has; the files next to this one are from mmkd_ext.\"\"\"

from mmengine.registry import MODELS

{imports}

for _backbone in ({names},):
    MODELS.register_module(module=_backbone, force=True)  # another exported student may have registered it
"""


def take_backbones(model: Any) -> list[type]:
    """Let a model's config name its backbones without this package's scope.

    Args:
        model: The student's config; each `mmkd_ext.NAME` in it becomes `NAME`.

    Returns:
        Their classes, for `write_package`.

    Raises:
        ConfigError: If the config uses a part of this package that is not one of its backbones.
    """
    if isinstance(model, (list, tuple)):
        return list(dict.fromkeys(kind for part in model for kind in take_backbones(part)))
    if not isinstance(model, dict):
        return []
    found = [kind for part in model.values() for kind in take_backbones(part)]
    name = str(model.get('type', ''))
    if name.startswith('mmkd_ext.'):
        made = MODELS.get(name)
        if made not in BACKBONES:
            raise ConfigError(f'{name} in the student cannot be exported, because no toolbox has it.')
        model['type'] = name.removeprefix('mmkd_ext.')
        found.append(made)
    return list(dict.fromkeys(found))


def write_package(folder: Path, backbones: list[type], student: str) -> None:
    """Write a package whose import registers backbones in mmengine's registry.

    Args:
        folder: The folder of the package, which is created.
        backbones: Classes of `mmkd_ext.models`; their files are copied unchanged.
        student: Name of the student that they are part of, for its docstring.
    """
    folder.mkdir()
    for file in {Path(inspect.getfile(kind)) for kind in backbones} | {Path(base.__file__)}:
        shutil.copy(file, folder)
    names = sorted((Path(inspect.getfile(kind)).stem, kind.__name__) for kind in backbones)
    imports = '\n'.join(f'from .{module} import {name}' for module, name in names)
    text = _PACKAGE.format(student=student, imports=imports, names=', '.join(name for _, name in names))
    (folder / '__init__.py').write_text(text, encoding='utf-8')
