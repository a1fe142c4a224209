"""Writes test/vectors/functional.jsonl: what PyTorch's functional forms of batch normalization give on seeded data.

Debian: apt-get install python3-torch python3-numpy; /usr/bin/python3 scripts/torch/functional.py
Each case has its inputs and results, of float64 data, so that a difference is an error and no rounding.
"""

import json
from pathlib import Path

import torch

TARGET = Path(__file__).resolve().parents[2] / "test" / "vectors" / "functional.jsonl"
SHAPES = [[6, 3], [4, 3, 5], [2, 4, 3, 3], [3, 20, 2]]


def flat(tensor):
    return tensor.detach().reshape(-1).tolist()


def case(shape, momentum, eps, seed):
    torch.manual_seed(seed)
    channels = shape[1]
    x = torch.randn(shape, dtype=torch.float64) * 2 + 1
    dy = torch.randn(shape, dtype=torch.float64)
    weight, bias, mean = (torch.randn(channels, dtype=torch.float64) for _ in range(3))
    var = torch.rand(channels, dtype=torch.float64) + 0.5
    inputs = {name: flat(value) for name, value in
              {"x": x, "dy": dy, "weight": weight, "bias": bias, "runningMean": mean, "runningVar": var}.items()}
    given = {"shape": shape, "momentum": momentum, "eps": eps, **inputs}

    moved = mean.clone(), var.clone()
    batch_mean, batch_var = torch.batch_norm_update_stats(x, *moved, momentum)
    update = {"mean": flat(batch_mean), "variance": flat(batch_var), "runningMean": flat(moved[0]), "runningVar": flat(moved[1])}

    native = {}
    for training in (True, False):
        own = mean.clone(), var.clone()
        y, save_mean, save_invstd = torch.native_batch_norm(x, weight, bias, *own, training, momentum, eps)
        dx, dweight, dbias = torch.ops.aten.native_batch_norm_backward(
            dy, x, weight, *own, save_mean, save_invstd, training, eps, [True, True, True])
        native["training" if training else "inference"] = {
            "y": flat(y), "saveMean": flat(save_mean), "saveInvStd": flat(save_invstd), "runningMean": flat(own[0]),
            "runningVar": flat(own[1]), "dx": flat(dx), "dweight": flat(dweight), "dbias": flat(dbias)}
    return {"given": given, "updateStats": update, **native}


cases = [case(shape, [0.1, 0.3, 1.0, 0.0][i], [1e-5, 1e-3, 0.0, 1e-5][i], i) for i, shape in enumerate(SHAPES)]
TARGET.write_text(json.dumps({"torch": torch.__version__, "cases": cases}) + "\n")
