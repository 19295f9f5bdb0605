#!/usr/bin/env python
"""Check that every toolbox imports and that mmcv's compiled ops run: tools/check_env.py."""

import argparse

import torch


def main() -> None:
    """Import each toolbox and run an NMS and a RoIAlign whose results are known."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    import mmcv.ops
    import mmdet.models
    import mmpretrain.models  # noqa: F401
    import mmseg.models  # noqa: F401

    from mmkd_ext.compat import import_mmrazor

    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30]])
    _, kept = mmcv.ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5)
    if kept.tolist() != [0, 2]:
        raise RuntimeError(f'mmcv.ops.nms kept boxes {kept.tolist()}, expected [0, 2]')
    pooled = mmcv.ops.roi_align(torch.ones(1, 1, 8, 8), torch.tensor([[0.0, 1, 1, 5, 5]]), (2, 2), 1.0)
    if not torch.equal(pooled, torch.ones(1, 1, 2, 2)):
        raise RuntimeError(f'mmcv.ops.roi_align of ones gave {pooled.tolist()}')
    import_mmrazor()
    print(f'torch {torch.__version__}, mmcv {mmcv.__version__} with ops, mmdet {mmdet.__version__}, ok')


if __name__ == '__main__':
    main()
