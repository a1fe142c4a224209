"""Writes test/vectors/curves.bin and .jsonl: PyTorch's batch normalization behind the activations that are no rectifiers.

Debian: apt-get install python3-torch python3-numpy; /usr/bin/python3 scripts/torch/curves.py
The index's first line is the provenance, each other a case. The binary holds, in the type of the case, its y, dx, dweight,
dbias, dresidual where there is a residual, and dslope for a PReLU, in memory order. Inputs are generated again by the test.
"""

import numpy as np
import torch
from torch.nn import functional

from cases import FIRST, LAST
from generator import normals, uniforms
from vectors import arrays_of, channel_of, tensor_of, write

SHAPES = [([6, 3, 7], FIRST), ([2, 3, 17], FIRST), ([12, 16], FIRST), ([2, 4, 3, 5], LAST)]


def hard_sigmoid(z, _):
    """torch's own gradient in float64 is multiplied by a 1/6 of float32."""
    return functional.hardsigmoid(z) if z.dtype == torch.float32 else functional.relu6(z + 3) / 6


def hard_swish(z, _):
    """At -3 and 3, torch's own gradient has changed between releases, and in some depended on the length of the tensor."""
    return functional.hardswish(z) if z.dtype == torch.float32 else z * functional.relu6(z + 3) / 6


CURVES = {
    "relu6": lambda z, _: functional.relu6(z),
    "hardtanh": lambda z, _: functional.hardtanh(z, -0.5, 1.25),
    "hard-sigmoid": hard_sigmoid,
    "hard-swish": hard_swish,
    "squared-relu": lambda z, _: functional.relu(z).square(),
    "prelu": functional.prelu,
    "prelu of one slope": functional.prelu,
    # The normalized value is 0 throughout, so that the residual alone decides: at every kink and on both sides of it.
    "kinks": None,
}
KINKS = [-4.0, -3.0, -2.0, -0.5, 0.0, 1.25, 2.0, 3.0, 4.0, 6.0, 7.0]


def all_cases():
    cases = [
        {"shape": shape, "layout": layout, "dtype": dtype, "training": training, "curve": curve, "residual": residual}
        for dtype in ("float32", "float64")
        for curve in CURVES
        if curve != "kinks"
        for training, residual in ((True, False), (False, True))
        for shape, layout in SHAPES
    ]
    kinks = [
        {"shape": [len(KINKS), 1], "layout": FIRST, "dtype": "float64", "training": False, "curve": curve, "residual": "kinks"}
        for curve in CURVES
        if curve != "kinks"
    ]
    return [{**fields, "seed": 100 * (i + 1)} for i, fields in enumerate(cases + kinks)]


def run_case(fields):
    seed, curve, shape = fields["seed"], fields["curve"], fields["shape"]
    channel = channel_of(shape, fields["layout"])
    channels = int(channel.max()) + 1
    is_kinks = fields["residual"] == "kinks"

    def tensor(values):
        return tensor_of(fields, values, channels)

    def table(offset):
        return uniforms(seed + offset, 0, channels)

    scale = 0.0 if is_kinks else 1.0
    x = tensor(2.0 + normals(seed, channel.size) * 2.0 ** (channel % 3)).requires_grad_()
    dy = tensor(normals(seed + 1, channel.size) + 0.25)
    sign = np.where(np.arange(channels) % 3 == 1, -2.0, 2.0)
    weight = tensor(scale * sign * (0.5 + table(2))).requires_grad_()
    bias = tensor(scale * (table(3) - 0.5)).requires_grad_()
    running = tensor(2.0 + table(4)), tensor(0.25 + table(5))
    slope = tensor(table(7) - 0.25)
    slope = (slope[:1].clone() if "one" in curve else slope).requires_grad_()
    y = functional.batch_norm(x, *running, weight, bias, fields["training"], 0.1, 1e-5)
    operands = [x, weight, bias]
    if fields["residual"]:
        values = np.array(KINKS) if is_kinks else normals(seed + 6, channel.size)
        residual = torch.from_numpy(values).reshape(shape) if is_kinks else tensor(values)
        residual.requires_grad_()
        y = y + residual
        operands.append(residual)
    if "prelu" in curve:
        operands.append(slope)
    y = CURVES[curve](y, slope)
    return arrays_of(fields, [y, *torch.autograd.grad(y, operands, dy)])


if __name__ == "__main__":
    write("curves", all_cases(), run_case)
