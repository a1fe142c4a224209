"""Writes scripts/torch/accuracy.jsonl: rows of docs/accuracy.md, and PyTorch's errors on their data.

/usr/bin/python3 scripts/torch/accuracy.py, then npx tsx scripts/docs/accuracy.ts, which draws the same data.
"""

import json
from pathlib import Path

import numpy as np
import torch

from generator import normals
from vectors import provenance

TARGET = Path(__file__).resolve().parent / "accuracy.jsonl"


def row(data, shape, kind="normal", mean=0.0, std=1.0, eps=1e-5):
    return {"data": data, "shape": shape, "kind": kind, "mean": mean, "std": std, "eps": eps}


def all_rows():
    for n in (2, 10, 100, 1000):
        yield row("Gaussian, mean 1, rows", [n, 64], mean=1.0)
    for batch, inner in ((2, 50), (10, 100), (10, 1000), (16, 6250), (16, 62500)):
        yield row("Gaussian, mean 1, planes", [batch, 1000000 // (batch * inner) or 1, inner], mean=1.0)
    yield row("Gaussian, mean 1, planes", [10, 1, 1000000], mean=1.0)
    yield row("Gaussian, mean 1, rows", [1000000, 16], mean=1.0)
    yield row("Gaussian, mean 1, one column", [10000000, 1], mean=1.0)
    for mean in (0.0, 1.0, 100.0, 1e4, 1e6):
        yield row(f"Gaussian, mean/std {mean:g}, planes", [64, 16, 1024], mean=mean)
    for mean in (0.0, 100.0, 1e4, 1e6):
        yield row(f"Gaussian, mean/std {mean:g}, rows", [65536, 16], mean=mean)
    for name, kind in (("outlier of 1e4 deviations first", "outlier"), ("smooth", "smooth"), ("ReLU of smooth", "relu")):
        yield row(f"{name}, planes", [64, 16, 1024], kind)
        yield row(f"{name}, rows", [65536, 16], kind)
    for scale in (1e25, 1e-25):
        yield row(f"Gaussian, std {scale:g}, mean twice that, planes", [64, 16, 1024], mean=2 * scale, std=scale, eps=0.0)
        yield row(f"Gaussian, std {scale:g}, mean twice that, rows", [65536, 16], mean=2 * scale, std=scale, eps=0.0)


def values(fields):
    """x in float32. Smooth: straight lines between a normal number every 32 values, exact in float64."""
    size = int(np.prod(fields["shape"]))
    mean, std, kind = fields["mean"], fields["std"], fields["kind"]
    z = normals(fields["seed"], size // 32 + 2 if kind in ("smooth", "relu") else size)
    if kind in ("smooth", "relu"):
        i = np.arange(size)
        z = z[i // 32] + (z[i // 32 + 1] - z[i // 32]) * ((i % 32) / 32.0)
    x = mean + std * z
    if kind == "relu":
        x = np.maximum(x, 0.0)
    x = x.astype(np.float32).reshape(fields["shape"])
    if kind == "outlier":
        x.reshape(*x.shape[:2], -1)[0, :, 0] = 1e4
    return x


def reference(x, dy, eps):
    """mean and unbiased variance per channel, y and dx, from sums in extended precision."""
    axes, n = tuple(a for a in range(x.ndim) if a != 1), x.size // x.shape[1]
    wide = {"axis": axes, "keepdims": True, "dtype": np.longdouble}
    x, dy = x.astype(np.float64), dy.astype(np.float64)
    mean = (x.sum(**wide) / n).astype(np.float64)
    d = x - mean
    m2 = ((d * d).sum(**wide)).astype(np.float64)
    r = 1 / np.sqrt(m2 / n + eps)
    xhat = d * r
    dbias, dweight = (dy.sum(**wide).astype(np.float64), (dy * xhat).sum(**wide).astype(np.float64))
    dx = r * (dy - dbias / n - xhat * (dweight / n))
    return mean.ravel(), (m2 / (n - 1)).ravel(), xhat, dx, np.abs(r * dy).max()


def largest(error):
    worst = float(np.max(np.abs(error)))
    return worst if np.isfinite(worst) else None


def measure(fields):
    x = values(fields)
    dy = (normals(fields["seed"] + 1, x.size) + 0.25).astype(np.float32).reshape(x.shape)
    mean, variance, y, dx, scale = reference(x, dy, fields["eps"])
    layer = torch.nn.BatchNorm1d(x.shape[1], eps=fields["eps"], momentum=1.0)
    tensor = torch.from_numpy(x).requires_grad_()
    output = layer(tensor)
    output.backward(torch.from_numpy(dy))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        errors = {
            "mean": largest((layer.running_mean.numpy() - mean) / np.sqrt(variance)),
            "variance": largest(layer.running_var.numpy() / variance - 1),
            "y": largest((output.detach().numpy() - y) / np.maximum(1.0, np.abs(y))),
            "dx": largest((tensor.grad.numpy() - dx) / scale),
        }
    bits = int(x.view(np.uint32).sum(dtype=np.uint64) + dy.view(np.uint32).sum(dtype=np.uint64)) % 2**32
    return {**fields, "bits": bits, "torch": errors}


def main():
    torch.set_num_threads(1)
    rows = [measure({**fields, "seed": 1000 + 10 * i}) for i, fields in enumerate(all_rows())]
    TARGET.write_text("".join(json.dumps(line) + "\n" for line in [provenance(), *rows]))
    for fields in rows:
        print(fields["data"], fields["shape"], fields["torch"])


if __name__ == "__main__":
    main()
