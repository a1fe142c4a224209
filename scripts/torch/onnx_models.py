"""Writes test/checkpoints/exported/: models that PyTorch's exporter wrote, with an input and PyTorch's outputs.

Debian: apt-get install python3-torch python3-onnx; /usr/bin/python3 scripts/torch/onnx_models.py
conv-bn-relu.onnx keeps the batch normalization of a model in inference; the exporter folds it into the convolution in
folded.onnx. training.onnx is exported in training. The second layer of each is as it was made, so that its weight and its
running variance are equal: the exporter stores them once and adds nodes Identity.

network.onnx is the network of test/checkpoints/pytorch/network.pt, and has its values. network-external.onnx is the same with
all values in network-external.bin, as ONNX's package for Python writes it, and with checksums, which that does not write.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from checkpoints import FOLDER, network_model
from generator import normals, uniforms
from vectors import provenance

TARGET = Path(__file__).resolve().parents[2] / "test" / "checkpoints" / "exported"
SHAPE = [2, 3, 5, 5]
CHANNELS = 4


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, CHANNELS, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(CHANNELS, eps=1e-3, momentum=0.3)
        self.bn2 = nn.BatchNorm2d(CHANNELS)

    def forward(self, x):
        normalized = self.bn1(self.conv1(x))
        return normalized, self.bn2(torch.relu(normalized))


def tensor(values, shape):
    return torch.from_numpy(np.asarray(values, dtype=np.float32).reshape(shape).copy())


def make():
    model = Network()
    with torch.no_grad():
        model.conv1.weight.copy_(tensor(normals(1, 108), [CHANNELS, 3, 3, 3]))
        model.conv1.bias.copy_(tensor(normals(2, CHANNELS), [CHANNELS]))
        model.bn1.weight.copy_(tensor(normals(3, CHANNELS), [CHANNELS]))
        model.bn1.bias.copy_(tensor(normals(4, CHANNELS), [CHANNELS]))
        model.bn1.running_mean.copy_(tensor(normals(5, CHANNELS), [CHANNELS]))
        model.bn1.running_var.copy_(tensor(0.5 + uniforms(6, 0, CHANNELS), [CHANNELS]))
    return model.eval()


def network():
    saved = torch.load(FOLDER / "network.pt")
    model = network_model()
    model.load_state_dict({name: saved[name] for name in model.state_dict()})
    path = str(TARGET / "network.onnx")
    mode = torch.onnx.TrainingMode.PRESERVE
    torch.onnx.export(model.eval(), saved["input"], path, training=mode, opset_version=15)


def with_external_data():
    path = str(TARGET / "network-external.onnx")
    options = {"save_as_external_data": True, "location": "network-external.bin", "size_threshold": 0}
    onnx.save_model(onnx.load(str(TARGET / "network.onnx")), path, **options)
    model = onnx.load(path, load_external_data=False)
    digest = hashlib.sha1((TARGET / "network-external.bin").read_bytes()).hexdigest()
    for tensor in model.graph.initializer:
        tensor.external_data.add(key="checksum", value=digest)
    Path(path).write_bytes(model.SerializeToString())
    onnx.checker.check_model(path, full_check=True)


def main():
    TARGET.mkdir(exist_ok=True)
    x = tensor(normals(7, int(np.prod(SHAPE))), SHAPE)
    model = make()
    with torch.no_grad():
        conv = model.conv1(x)
        normalized, output = model(x)
    mode = torch.onnx.TrainingMode
    exports = {"conv-bn-relu": (mode.PRESERVE, 15), "folded": (mode.EVAL, 15), "opset-9": (mode.PRESERVE, 9)}
    for name, (training, opset) in exports.items():
        torch.onnx.export(model, x, str(TARGET / f"{name}.onnx"), training=training, opset_version=opset)
    torch.onnx.export(
        model.train(), x, str(TARGET / "training.onnx"), training=mode.TRAINING, opset_version=15, do_constant_folding=False
    )
    lists = {"x": x, "conv": conv, "normalized": normalized, "output": output}
    values = {key: value.flatten().tolist() for key, value in lists.items()}
    text = json.dumps({"provenance": provenance(), "shape": SHAPE, **values})
    (TARGET / "values.jsonl").write_text(text + "\n")
    network()
    with_external_data()


if __name__ == "__main__":
    main()
