#!/usr/bin/env python
"""Convert a CIFAR checkpoint of mdistiller to mmpretrain: tools/convert_mdistiller.py SRC DST --arch NAME.

SRC is a file of the unpacked cifar_teachers.tar (resnet56_vanilla/ckpt_epoch_240.pth), or mdistiller's file for a
student (student_best). The command prints the model config that DST fits.
"""

import argparse
import tarfile
from pathlib import Path

import torch
from torch import Tensor

from mmkd_ext import cli
from mmkd_ext.checkpoints import load_checkpoint_file
from mmkd_ext.errors import ConfigError
from mmkd_ext.files import check_writable
from mmkd_ext.mdistiller import ARCHITECTURES, classifier_config, convert


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights in a file of mdistiller, under `model`.

    Raises:
        ConfigError: If there are none, or the file cannot be read.
    """
    if path.is_file() and tarfile.is_tarfile(path):
        raise ConfigError(f'{path} is an archive; unpack it (tar -xf) and name one of its files.')
    content = load_checkpoint_file(str(path), map_location='cpu')
    weights = content.get('model', content.get('state_dict', content)) if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not weights or not all(isinstance(v, Tensor) for v in weights.values()):
        raise ConfigError(f'{path} holds no weights (a dict of tensors under `model`).')
    return weights


def main() -> None:
    """Read, rename, check, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('src', type=Path, metavar='SRC')
    parser.add_argument('dst', type=Path, metavar='DST')
    parser.add_argument('--arch', required=True, metavar='NAME', help=', '.join(ARCHITECTURES))
    args = parser.parse_args()
    if args.dst.is_dir() or (args.dst.exists() and args.dst.resolve() == args.src.resolve()):
        raise ConfigError(f'DST must be a new file, {args.dst} is {"a folder" if args.dst.is_dir() else "SRC itself"}.')
    check_writable('DST', args.dst)
    config = classifier_config(args.arch)
    weights = read_weights(args.src)
    try:
        weights = convert(weights, args.arch)
    except ConfigError as error:
        raise ConfigError(f'{args.src}: {error}') from None
    config['head']['num_classes'] = len(weights['head.fc.bias'])
    args.dst.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(meta=dict(architecture=args.arch, source=args.src.name), state_dict=weights), args.dst)
    print(f'{args.dst} is for model = {config}')


if __name__ == '__main__':
    cli.run(main)
