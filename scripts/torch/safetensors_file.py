"""Writes test/checkpoints/reference.safetensors with the Python package `safetensors` (0.8.0), which needs no torch.

The values are chosen so that every byte can be checked by hand; test/checkpoints/safetensors.test.ts lists them.
"""

import ctypes
import pathlib
import struct

from safetensors import TensorSpec, serialize

KEPT = []


def tensor(dtype, shape, code, *values):
    data = struct.pack(f"<{len(values)}{code}", *values)
    KEPT.append(ctypes.create_string_buffer(data, len(data)))
    return TensorSpec(dtype=dtype, shape=shape, data_ptr=ctypes.addressof(KEPT[-1]), data_len=len(data))


TENSORS = {
    "conv.weight": tensor("float16", [2, 1, 1, 1], "e", 1.5, -2.0),
    "bn1.weight": tensor("float32", [2], "f", 1.0, -0.0),
    "bn1.bias": tensor("float32", [2], "f", 0.5, float("inf")),
    "bn1.running_mean": tensor("float32", [2], "f", -1.0, 2.0**-149),
    "bn1.running_var": tensor("float32", [2], "f", 4.0, 0.25),
    "bn1.num_batches_tracked": tensor("int64", [], "q", 2**40 + 1),
    "deep/bn2/weight": tensor("bfloat16", [3], "H", 0x3F80, 0x4000, 0xC040),
    "deep/bn2/bias": tensor("bfloat16", [3], "H", 0, 0x8000, 1),
    "deep/bn2/running_mean": tensor("float64", [3], "d", 0.1, -0.2, 1e300),
    "deep/bn2/running_var": tensor("float64", [3], "d", 1.0, 2.0, 5e-324),
    "mask": tensor("bool", [0, 4], "?"),
    "bytes": tensor("uint8", [3], "B", 1, 2, 3),
}

path = pathlib.Path(__file__).parents[2] / "test" / "checkpoints" / "reference.safetensors"
path.write_bytes(bytes(serialize(TENSORS, {"format": "pt"})))
