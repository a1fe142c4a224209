"""Writes test/vectors/double-backward.bin and .jsonl: PyTorch's gradients of batch normalization's gradients.

Debian: apt-get install python3-torch python3-numpy; /usr/bin/python3 scripts/torch/double_backward.py
The index's first line is the provenance, each other a case. The binary holds, in the type of the case, its dx, dweight
and ddy in memory order. Inputs are generated again by the test.
"""

import numpy as np
import torch
from torch.nn import functional

from cases import FIRST, LAST
from generator import normals, uniforms
from vectors import arrays_of, channel_of, tensor_of, write

SHAPES = [([6, 3, 7], FIRST), ([2, 3, 17], FIRST), ([12, 16], FIRST), ([9, 3], LAST), ([2, 4, 3, 5], LAST)]
ALL = ["gradGradInput", "gradGradWeight", "gradGradBias", "gradGradResidual"]


def case(shape, layout, dtype, training, relu, given=ALL, mean=2.0, eps=1e-5, zero=False):
    """With ReLU there is a residual too. `zero`: the first channel's weight is 0."""
    names = [name for name in given if relu or name != "gradGradResidual"]
    return {
        "shape": shape, "layout": layout, "dtype": dtype, "training": training, "relu": relu, "given": names,
        "mean": mean, "eps": eps, "zero": zero,
    }


def all_cases():
    cases = []
    for dtype in ("float32", "float64"):
        for training in (True, False):
            for shape, layout in SHAPES:
                for relu in (False, True):
                    cases.append(case(shape, layout, dtype, training, relu))
            for name in ALL[:3]:
                cases.append(case([6, 3, 7], FIRST, dtype, training, False, [name]))
            cases.append(case([2, 3, 17], FIRST, dtype, training, True, zero=True))
            cases.append(case([9, 3], LAST, dtype, training, False, mean=-30.0, eps=0.1))
    return [{**fields, "seed": 100 * (i + 1)} for i, fields in enumerate(cases)]


def run_case(fields):
    seed = fields["seed"]
    channel = channel_of(fields["shape"], fields["layout"])
    channels = int(channel.max()) + 1

    def tensor(values):
        return tensor_of(fields, values, channels)

    def elements(offset):
        return normals(seed + offset, channel.size)

    def table(offset):
        return uniforms(seed + offset, 0, channels)

    x = tensor(fields["mean"] + elements(0) * 2.0 ** (channel % 3)).requires_grad_()
    dy = tensor(elements(1) + 0.25).requires_grad_()
    sign = np.where(np.arange(channels) % 3 == 1, -1.0, 1.0)
    weight = sign * (0.25 + table(2))
    if fields["zero"]:
        weight[0] = 0.0
    weight = tensor(weight).requires_grad_()
    bias = tensor(table(3) - 0.5).requires_grad_()
    running = tensor(fields["mean"] + table(4)), tensor(0.25 + table(5))
    y = functional.batch_norm(x, *running, weight, bias, fields["training"], 0.1, fields["eps"])
    operands = [x, weight, bias]
    if fields["relu"]:
        residual = tensor(elements(6)).requires_grad_()
        y = functional.relu(y + residual)
        operands.append(residual)
    first = torch.autograd.grad(y, operands, dy, create_graph=True)
    incoming = {
        "gradGradInput": lambda: tensor(elements(7) - 0.5),
        "gradGradWeight": lambda: tensor(table(8) - 0.75),
        "gradGradBias": lambda: tensor(table(9) + 0.25),
        "gradGradResidual": lambda: tensor(elements(10)),
    }
    pairs = [(result, incoming[name]()) for name, result in zip(ALL, first) if name in fields["given"]]
    inputs = (x, weight, dy)
    second = torch.autograd.grad([r for r, _ in pairs], inputs, [g for _, g in pairs], allow_unused=True)
    results = [torch.zeros_like(i) if s is None else s for i, s in zip(inputs, second)]
    return arrays_of(fields, results)


if __name__ == "__main__":
    write("double-backward", all_cases(), run_case)
