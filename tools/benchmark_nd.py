#!/usr/bin/env python
"""NDLoss against the released form, forward and backward, interleaved in one run: tools/benchmark_nd.py.

The released form goes through the batch one sample at a time and makes a tensor of each sample's class mean from a
Python list. Prints both times (the median of the rounds, in milliseconds), their ratio, and how much values and
gradients differ.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from mmkd_ext import cli
from mmkd_ext.losses.nd import NDLoss


def one_by_one(student: Tensor, teacher: Tensor, labels: Tensor, means: dict[str, list[float]]) -> Tensor:
    """The loss, sample by sample."""
    total = student.new_zeros(())
    for s, t, label in zip(student, teacher, labels, strict=True):
        centre = torch.tensor(means[str(label.item())], device=student.device)
        direction = centre / centre.norm()
        total = total + 1 - (s @ direction) / max(s.norm(), t.norm())
    return total / len(student)


def timed(loss: Callable[[Tensor], Tensor], student: Tensor) -> tuple[float, Tensor, Tensor]:
    """Milliseconds of forward and backward, the value and the gradient."""
    leaf = student.clone().requires_grad_()
    if leaf.is_cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    value = loss(leaf)
    value.backward()
    if leaf.is_cuda:
        torch.cuda.synchronize()
    spent = 1000 * (time.perf_counter() - start)
    assert leaf.grad is not None
    return spent, value.detach(), leaf.grad


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--samples', type=int, default=512)
    parser.add_argument('--channels', type=int, default=2048)
    parser.add_argument('--classes', type=int, default=1000)
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    args = parser.parse_args()
    torch.manual_seed(0)
    shape = (args.samples, args.channels)
    student, teacher = torch.rand(shape, device=args.device), torch.rand(shape, device=args.device)
    labels = torch.randint(args.classes, (args.samples,), device=args.device)
    means = torch.rand(args.classes, args.channels)
    lists = {str(k): row for k, row in enumerate(means.tolist())}
    ours = NDLoss(means).to(args.device)
    times: dict[str, list[float]] = {'NDLoss': [], 'released form': []}
    for i in range(args.rounds + 1):
        spent, value, grad = timed(lambda x: ours(x, teacher, labels), student)
        spent_released, value_released, grad_released = timed(lambda x: one_by_one(x, teacher, labels, lists), student)
        if i:  # the first round warms up
            times['NDLoss'].append(spent)
            times['released form'].append(spent_released)
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f'N={args.samples} C={args.channels} K={args.classes}, {args.device}, {torch.get_num_threads()} threads')
    for name, median in medians.items():
        print(f'{name:14} {median:9.2f} ms')
    print(f'ratio          {medians["released form"] / medians["NDLoss"]:9.0f}')
    apart = float((grad - grad_released).abs().max() / grad_released.abs().max())
    print(f'values differ by {float((value - value_released).abs()):.1e}, gradients by {apart:.1e} of the largest')


if __name__ == '__main__':
    cli.run(main)
