"""Writes test/vectors/activations.bin and .jsonl: PyTorch's batch normalization behind ReLU and leaky ReLU.

Debian: apt-get install python3-torch python3-numpy; /usr/bin/python3 scripts/torch/activations.py
The index's first line is the provenance, each other a case. The binary holds, in the type of the case, its y, dx, dweight,
dbias, and dresidual where there is a residual, in memory order. Inputs are generated again by the test.
"""

import numpy as np
import torch
from torch.nn import functional

from cases import FIRST, LAST
from generator import normals, uniforms
from vectors import arrays_of, channel_of, tensor_of, write

SHAPES = [([6, 3, 7], FIRST), ([2, 3, 17], FIRST), ([12, 16], FIRST), ([9, 3], LAST), ([2, 4, 3, 5], LAST)]
SLOPES = [0.0, 0.01, 0.3, 1.5]


def all_cases():
    cases = [
        {"shape": shape, "layout": layout, "dtype": dtype, "training": training, "slope": slope, "residual": residual}
        for dtype in ("float32", "float64")
        for training in (True, False)
        for shape, layout in SHAPES
        for slope in SLOPES
        for residual in (False, True)
    ]
    return [{**fields, "seed": 100 * (i + 1)} for i, fields in enumerate(cases)]


def run_case(fields):
    seed = fields["seed"]
    channel = channel_of(fields["shape"], fields["layout"])
    channels = int(channel.max()) + 1

    def tensor(values):
        return tensor_of(fields, values, channels)

    def table(offset):
        return uniforms(seed + offset, 0, channels)

    x = tensor(2.0 + normals(seed, channel.size) * 2.0 ** (channel % 3)).requires_grad_()
    dy = tensor(normals(seed + 1, channel.size) + 0.25)
    sign = np.where(np.arange(channels) % 3 == 1, -1.0, 1.0)
    weight = tensor(sign * (0.5 + table(2))).requires_grad_()
    bias = tensor(table(3) - 0.5).requires_grad_()
    running = tensor(2.0 + table(4)), tensor(0.25 + table(5))
    y = functional.batch_norm(x, *running, weight, bias, fields["training"], 0.1, 1e-5)
    operands = [x, weight, bias]
    if fields["residual"]:
        residual = tensor(normals(seed + 6, channel.size)).requires_grad_()
        y = y + residual
        operands.append(residual)
    y = functional.leaky_relu(y, fields["slope"]) if fields["slope"] > 0 else functional.relu(y)
    results = [y, *torch.autograd.grad(y, operands, dy)]
    return arrays_of(fields, results)


if __name__ == "__main__":
    write("activations", all_cases(), run_case)
