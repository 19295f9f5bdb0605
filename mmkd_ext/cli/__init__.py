"""The shared parts of the commands in tools/: options, checks before anything is written, one-sentence errors."""

import warnings

from mmkd_ext.cli.inputs import check_data, check_file, make_missing_class_means, missing_class_means
from mmkd_ext.cli.launch import PATIENCE, run, say, start_distributed
from mmkd_ext.cli.options import (
    add_cfg_options,
    add_launcher,
    add_recipe,
    config_parser,
    default_work_dir,
    parse_options,
    read_config,
    read_launched,
    train_parser,
)
from mmkd_ext.cli.recipe import make_recipe, recipe_config
from mmkd_ext.cli.resume import check_resume
from mmkd_ext.cli.toolbox import stock_test
from mmkd_ext.cli.train import bring_to_ours, complete, say_what_will_not_fold, train_config
from mmkd_ext.distributed import rank

__all__ = [
    'PATIENCE',
    'add_cfg_options',
    'add_launcher',
    'add_recipe',
    'bring_to_ours',
    'check_data',
    'check_file',
    'check_resume',
    'complete',
    'config_parser',
    'default_work_dir',
    'make_missing_class_means',
    'make_recipe',
    'missing_class_means',
    'parse_options',
    'rank',
    'read_config',
    'read_launched',
    'recipe_config',
    'run',
    'say',
    'say_what_will_not_fold',
    'start_distributed',
    'stock_test',
    'train_config',
    'train_parser',
]

warnings.filterwarnings('ignore', message='pkg_resources is deprecated')  # from mmengine, at every `mmdet::` path
