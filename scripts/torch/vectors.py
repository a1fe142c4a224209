"""Writes test/vectors/torch.bin and torch.jsonl: what PyTorch's batch normalization gives on seeded data.

Debian: apt-get install python3-torch python3-numpy; /usr/bin/python3 scripts/torch/vectors.py
The index's first line is the provenance, each other a case. The binary holds, in the type of the case, after each training step y, dx, dweight, dbias, running_mean and
running_var, those there are, and after the inference y, dx, dweight, dbias. Inputs are generated again by the test.
"""

import hashlib
import json
import platform
import subprocess
from pathlib import Path

import numpy as np
import torch

from cases import all_cases
from generator import normals, uniforms

TARGET = Path(__file__).resolve().parents[2] / "test" / "vectors"


def channel_of(shape, layout):
    """Channel of each element, in memory order."""
    axis = len(shape) - 1 if layout == "channels-last" else 1
    return np.indices(shape)[axis].ravel()


def inputs(fields, seed):
    """x, in float64: every third channel twice as wide as the one before."""
    size = int(np.prod(fields["shape"]))
    channel = channel_of(fields["shape"], fields["layout"])
    mean, std, kind = fields["mean"], fields["std"], fields["kind"]
    x = mean + std * (normals(seed, size) * 2.0 ** (channel % 3))
    if kind == "relu":
        x = np.maximum(x, 0.0)
    elif kind == "constant":
        x = np.full(size, mean)
    elif kind == "outlier":
        first = np.unique(channel, return_index=True)[1]
        x[first] = x[first] + 1e4 * std
    elif kind == "grid":
        x = x.astype(np.float32).astype(np.float64)
    return x


class Layer:
    """A torch layer, fed with arrays in memory order, channels-last ones as strided views."""

    def __init__(self, fields):
        self.fields = fields
        self.dtype = np.dtype(fields["dtype"])
        shape = fields["shape"]
        self.channels = shape[-1] if fields["layout"] == "channels-last" else shape[1]
        kinds = {4: torch.nn.BatchNorm2d, 5: torch.nn.BatchNorm3d}
        self.layer = kinds.get(len(shape), torch.nn.BatchNorm1d)(
            self.channels, eps=fields["eps"], momentum=fields["momentum"], track_running_stats=fields["track"],
            dtype=torch.float64 if self.dtype == np.float64 else torch.float32,
        )
        seed = fields["seed"]
        sign = np.where(np.arange(self.channels) % 3 == 1, -1.0, 1.0)
        self.load("weight", sign * (0.25 + uniforms(seed, 0, self.channels)))
        self.load("bias", uniforms(seed + 1, 0, self.channels) - 0.5)
        if fields["steps"] == 0:
            self.layer.running_mean.copy_(torch.from_numpy(uniforms(seed + 2, 0, self.channels) - 0.5))
            self.layer.running_var.copy_(torch.from_numpy(0.25 + uniforms(seed + 3, 0, self.channels)))

    def load(self, name, values):
        parameter = torch.nn.Parameter(torch.from_numpy(values.astype(self.dtype)))
        setattr(self.layer, name, parameter if self.fields[name] else None)

    def tensor(self, values):
        """Channels to axis 1, without moving a value: torch's channels_last memory format."""
        tensor = torch.from_numpy(values.astype(self.dtype)).reshape(self.fields["shape"])
        if tensor.dim() == 1:
            return tensor.unsqueeze(0)
        if self.fields["layout"] == "channels-last":
            tensor = tensor.movedim(-1, 1)
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        if self.fields["layout"] == "channels-last" and tensor.dim() in formats:
            assert tensor.is_contiguous(memory_format=formats[tensor.dim()])
        return tensor

    def array(self, tensor):
        """A tensor's values in the memory order of the case."""
        if self.fields["layout"] == "channels-last" and tensor.dim() > 2:
            tensor = tensor.movedim(1, -1)
        return tensor.detach().contiguous().numpy().ravel()

    def run(self, step):
        """Forward and backward on the data of one step; everything that is compared after it."""
        seed = self.fields["seed"] + 10 * (step + 1)
        x = self.tensor(inputs(self.fields, seed)).requires_grad_()
        dy = self.tensor(normals(seed + 1, x.numel()) + 0.25)
        self.layer.zero_grad()
        y = self.layer(x)
        y.backward(dy)
        parameters = [p.grad for p in (self.layer.weight, self.layer.bias) if p is not None]
        running = [self.layer.running_mean, self.layer.running_var] if self.layer.training and self.fields["track"] else []
        return [self.array(y), self.array(x.grad), *(t.numpy().copy() for t in parameters + running)]


def provenance():
    query = subprocess.run(["dpkg-query", "-W", "python3-torch"], capture_output=True, text=True, check=True)
    return {
        "torch": torch.__version__,
        "package": "Debian " + " ".join(query.stdout.split()),
        "capability": next(line.split()[-1] for line in torch.__config__.show().splitlines() if "capability" in line),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": 1,
    }


def run_case(fields):
    layer = Layer(fields)
    results = [array for step in range(fields["steps"]) for array in layer.run(step)]
    layer.layer.eval()
    return results + layer.run(fields["steps"])


def write(name, cases, run_case):
    """The results of all cases and their index, of this name."""
    torch.set_num_threads(1)
    data = b"".join(array.tobytes() for fields in cases for array in run_case(fields))
    digest = {"byteOrder": "little", "sha256": hashlib.sha256(data).hexdigest()}
    index = "".join(json.dumps(line) + "\n" for line in [{**provenance(), **digest}, *cases])
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / f"{name}.bin").write_bytes(data)
    (TARGET / f"{name}.jsonl").write_text(index)
    print(f"{len(cases)} cases, {len(data)} bytes")


def tensor_of(fields, values, channels):
    """In the type of the case; tensors of all elements with their channels moved to axis 1, not a value moved."""
    array = torch.from_numpy(np.ascontiguousarray(values.astype(fields["dtype"])))
    if len(values) == channels:
        return array
    array = array.reshape(fields["shape"])
    return array.movedim(-1, 1) if fields["layout"] == "channels-last" else array


def arrays_of(fields, tensors):
    """Values in memory order."""
    last = fields["layout"] == "channels-last"
    ordered = [t.movedim(1, -1) if last and t.dim() > 1 else t for t in tensors]
    return [t.detach().contiguous().numpy().ravel() for t in ordered]


if __name__ == "__main__":
    write("torch", all_cases(), run_case)
