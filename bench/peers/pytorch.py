"""PyTorch as a peer of bench/peers: a line of words on stdin is a command, a line on stdout its answer.

Tensors come and go as raw float32 files in the folder argv[1], in the order of memory: N, C, H, W or, where channels are
last, N, H, W, C.
"""

import os
import sys
import time

import torch


class Problem:
    """The tensors of one shape and layout, and the newest outputs."""

    def __init__(self, folder, layout, eps, *shape):
        self.folder = folder
        self.shape = [int(size) for size in shape]
        self.last = layout == "channels-last" and len(shape) > 2
        self.eps = float(eps)
        names = ["x", "dy", "weight", "bias", "runningMean", "runningVar", "mean", "invStd"]
        self.tensors = {name: self.read(name) for name in names}
        self.outputs = None

    def read(self, name):
        path = os.path.join(self.folder, name)
        values = torch.from_file(path, size=os.path.getsize(path) // 4, dtype=torch.float32).clone()
        if name not in ("x", "dy"):
            return values
        values = values.reshape(self.shape)
        # A view of the same memory: PyTorch's channels-last format.
        return values.movedim(-1, 1) if self.last else values

    def forward(self):
        t = self.tensors
        return torch.native_batch_norm(t["x"], t["weight"], t["bias"], None, None, True, 0.1, self.eps)[:1]

    def inference(self):
        t = self.tensors
        return torch.native_batch_norm(
            t["x"], t["weight"], t["bias"], t["runningMean"], t["runningVar"], False, 0.1, self.eps
        )[:1]

    def backward(self):
        t = self.tensors
        return torch.ops.aten.native_batch_norm_backward(
            t["dy"], t["x"], t["weight"], None, None, t["mean"], t["invStd"], True, self.eps, [True, True, True]
        )

    def sample(self, operation, calls):
        """Milliseconds a call. The output of the call before is freed first, so that its memory serves again."""
        run = getattr(self, operation)
        self.outputs = None
        start = time.perf_counter()
        for _ in range(int(calls)):
            self.outputs = None
            self.outputs = run()
        return (time.perf_counter() - start) * 1000 / int(calls)

    def write(self, *names):
        for name, values in zip(names, self.outputs):
            if self.last and values.dim() > 1:
                values = values.movedim(1, -1)
            path = os.path.join(self.folder, name)
            # A longer file would keep its end.
            open(path, "wb").close()
            torch.from_file(path, shared=True, size=values.numel(), dtype=torch.float32).copy_(values.reshape(-1))


def serve():
    problem = None
    print(torch.__version__, flush=True)
    for line in sys.stdin:
        verb, *words = line.split()
        if verb == "prepare":
            problem = None
            problem = Problem(sys.argv[1], *words)
            print("ready", flush=True)
        else:
            print(getattr(problem, verb)(*words), flush=True)


with torch.no_grad():
    serve()
