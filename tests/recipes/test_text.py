"""The written file: how it is laid out, what it names, and that nothing is overwritten."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmkd_ext.errors import ConfigError
from mmkd_ext.recipes import Look, Names, Recipe, recipe_text, write
from mmkd_ext.recipes.recipe import Code
from mmkd_ext.recipes.text import WIDTH, written


def test_what_is_long_is_broken_and_means_the_same() -> None:
    value = {'*': Code('base'), 'a': dict(b=['x' * 30] * 3, c=dict(d=1.5, e=True)), 'f': dict(g='y' * 60, h=(1, 2))}
    text = written(value)
    assert '\n' in text
    assert max(map(len, text.splitlines())) <= WIDTH
    assert eval(text, dict(base=dict(z=0))) == dict(z=0, a=value['a'], f=value['f'])


def test_a_file_with_the_same_content_is_left_and_any_other_refused(tmp_path: Path) -> None:
    path = tmp_path / 'made' / 'x.py'
    write('a = 1\n', path)
    before = path.stat().st_mtime_ns
    write('a = 1\n', path)
    write('# in other words\na = 1\n', path)
    assert path.stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match=f'^{path} exists with different content: it has `a = 1` instead of `a = 2`'):
        write('a = 2\n', path)
    assert path.read_text() == 'a = 1\n'
    assert [file.name for file in path.parent.iterdir()] == ['x.py']


def test_the_students_own_hooks_and_imports_stay(tmp_path: Path) -> None:
    student = tmp_path / 'student.py'
    content = dict(
        model=dict(type='Mine'), custom_hooks=[dict(type='EMAHook')], custom_imports=dict(imports=['my_parts'])
    )
    student.write_text('\n'.join(f'{name} = {value!r}' for name, value in content.items()))
    recipe = Recipe('mmkd_ext.SelfDistill', dict(distill_losses=dict(loss_tfd=dict(type='TFDLoss'))), 'stages')
    recipe.hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_tfd', schedule='constant', factor=0.5)]
    seen = Look('classifier', None)
    text = recipe_text(recipe, Names('tfd', str(student)), seen, None, content, 'x', own=True)
    path = tmp_path / 'work_dir' / 'recipe' / 'x.py'
    write(text, path)
    cfg = Config.fromfile(path, import_custom_modules=False)
    assert [hook.type for hook in cfg.custom_hooks] == ['EMAHook', 'mmkd_ext.LossWeightHook']
    assert cfg.custom_imports.imports == ['my_parts', 'mmkd_ext']
    assert (cfg.model.type, cfg.model.architecture.type) == ('mmkd_ext.SelfDistill', 'Mine')
    assert Path(cfg.work_dir).samefile(tmp_path / 'work_dir')


@pytest.mark.parametrize('own', [{}, dict(clip_grad=None)])
def test_gradients_are_clipped_where_the_student_says_that_they_are_not(own: dict, tmp_path: Path) -> None:
    student = tmp_path / 'student.py'
    content = dict(model=dict(type='Mine'), optim_wrapper=own)
    student.write_text('\n'.join(f'{name} = {value!r}' for name, value in content.items()))
    recipe = Recipe('mmkd_ext.SelfDistill', dict(distill_losses={}), '')
    recipe.clip = 35
    text = recipe_text(recipe, Names('tfd', str(student)), Look('classifier', None), None, content, 'x', own=False)
    write(text, tmp_path / 'x.py')
    cfg = Config.fromfile(tmp_path / 'x.py', import_custom_modules=False)
    assert cfg.optim_wrapper.clip_grad == dict(max_norm=35, norm_type=2)


def test_the_student_keeps_its_pixels_where_the_config_has_others_beside_the_model(tmp_path: Path) -> None:
    student = tmp_path / 'student.py'
    own, recipe = dict(type='P', mean=[1.0], size=(96, 96)), Recipe('mmkd_ext.SelfDistill', dict(distill_losses={}), '')
    for beside, kept in ((dict(type='P', size=(512, 512)), own), (dict(mean=[1.0]), None), (dict(type='Q'), own)):
        content = dict(model=dict(type='Mine', data_preprocessor=own), data_preprocessor=beside)
        student.write_text('\n'.join(f'{name} = {value!r}' for name, value in content.items()))
        names = Names('tfd', str(student))
        text = recipe_text(recipe, names, Look('segmentor', None), None, content, 'x', own=False)
        (tmp_path / 'x.py').write_text(text)
        cfg = Config.fromfile(tmp_path / 'x.py', import_custom_modules=False)
        assert cfg.model.get('data_preprocessor') == kept
