"""Writes test/checkpoints/pytorch/: files of torch.save, for test/checkpoints/pytorch.test.ts and network.test.ts.

The values of kinds.pt are listed in the test. The other files hold random values; they are written again only together.
"""

import collections
import json
import pathlib
import struct

import torch
from torch import nn

FOLDER = pathlib.Path(__file__).parents[2] / "test" / "checkpoints" / "pytorch"


class Block(nn.Module):
    """A basic block as torchvision names its parts."""

    def __init__(self, channels, out, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        down = [nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)]
        self.downsample = nn.Sequential(*down) if stride > 1 else nn.Identity()

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.downsample(x))


def resnet():
    torch.manual_seed(1)
    parts = [("conv1", nn.Conv2d(3, 2, 3, bias=False)), ("bn1", nn.BatchNorm2d(2)), ("relu", nn.ReLU())]
    parts += [("layer1", nn.Sequential(Block(2, 2))), ("layer2", nn.Sequential(Block(2, 3, 2)))]
    return nn.Sequential(collections.OrderedDict(parts))


def trained():
    """A checkpoint as a training loop saves it: the model, the optimizer and numbers."""
    model = resnet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        model(torch.randn(4, 3, 8, 8)).square().mean().backward()
        optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "arch": "tiny"}
    return {**state, "best": 0.5, "ema": {"module.bn1.running_mean": model.bn1.running_mean}}


def kinds():
    """Every type of elements, views of shared memory, and every container."""
    ramp = torch.arange(6, dtype=torch.float32)
    return {
        "double": torch.tensor([0.1, -0.2, 1e300], dtype=torch.float64),
        "float": torch.tensor([1.5, -0.0, float("inf")]),
        "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
        "bfloat16": torch.tensor([1.0, 2.0, -3.0], dtype=torch.bfloat16),
        "long": torch.tensor([2**40 + 1, -1]),
        "int": torch.tensor([-5], dtype=torch.int32),
        "short": torch.tensor([-6], dtype=torch.int16),
        "char": torch.tensor([-7], dtype=torch.int8),
        "byte": torch.tensor([200], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "scalar": torch.tensor(2.5),
        "none": torch.zeros(0, 4),
        "parameter": nn.Parameter(torch.tensor([7.0])),
        "matrix": ramp.view(2, 3),
        "transposed": ramp.view(2, 3).t(),
        "part": ramp[2:4],
        "every other": ramp[1::2],
        "expanded": torch.tensor([[3.0], [4.0]]).expand(2, 3),
        "channels last": torch.arange(8, dtype=torch.float32).view(1, 2, 2, 2).to(memory_format=torch.channels_last),
        "same": ramp.view(2, 3),
        "list": [torch.tensor([1.0]), (torch.tensor([2.0]), "text", None)],
        "ordered": collections.OrderedDict(a=torch.tensor([3.0]), b={"c": torch.tensor([4.0])}),
        7: torch.tensor([5.0]),
        "numbers": {"int": -3, "large": 2**70, "float": 0.5, "flag": True, "none": None, "text": "한국어"},
        "size": torch.Size([1, 2]),
        "device": torch.device("cpu"),
        "dtype": torch.float16,
        "bytes": b"\x00\xff",
        "set": {1, 2},
    }


def network_model():
    """Convolution, batch normalization and ReLU, twice; then a linear layer."""
    return nn.Sequential(
        collections.OrderedDict(
            conv1=nn.Conv2d(3, 8, 3, padding=1),
            bn1=nn.BatchNorm2d(8),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(8, 8, 3, padding=1, groups=2, bias=False),
            bn2=nn.BatchNorm2d(8, eps=1e-3),
            relu2=nn.ReLU(),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(8, 5),
            bn3=nn.BatchNorm1d(5),
        )
    )


def network():
    """Its parameters after some training, with an input and an output."""
    torch.manual_seed(2)
    model = network_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(20):
        x = 2 + 3 * torch.randn(16, 3, 8, 8)
        model(x).sub(3 * x[:, 0, 0, :5]).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    x = 2 + 3 * torch.randn(4, 3, 8, 8)
    with torch.no_grad():
        return {**model.state_dict(), "input": x, "output": model.eval()(x)}


CODES = {torch.float32: "F32", torch.int64: "I64"}


def safetensors(tensors):
    """The format is a length, a header in JSON and the elements; no package is needed for it."""
    header, parts, end = {}, [], 0
    for name, tensor in tensors.items():
        data = tensor.contiguous().numpy().tobytes()
        offsets = [end, end + len(data)]
        header[name] = {"dtype": CODES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
        parts.append(data)
        end += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


def main():
    FOLDER.mkdir(exist_ok=True)
    torch.save(trained(), FOLDER / "resnet.pt")
    torch.save(kinds(), FOLDER / "kinds.pt")
    torch.save(kinds(), FOLDER / "protocol-5.pt", pickle_protocol=5)
    torch.save(network(), FOLDER / "network.pt")
    (FOLDER / "network.safetensors").write_bytes(safetensors(network()))
    torch.save(nn.BatchNorm1d(2), FOLDER / "module.pt")
    torch.save(nn.BatchNorm1d(2).state_dict(), FOLDER / "old.pt", _use_new_zipfile_serialization=False)
    torch.jit.script(nn.BatchNorm1d(2)).save(FOLDER / "script.pt")
    print(*(f"{path.name} {path.stat().st_size}" for path in sorted(FOLDER.iterdir())), sep="\n")


if __name__ == "__main__":
    main()
