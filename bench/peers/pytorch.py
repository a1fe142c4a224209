"""PyTorch as a peer of bench/peers: a JSON command a line on stdin, a JSON answer a line on stdout.

Tensors come and go as raw float32 files in the order of memory: N, C, H, W or, where channels are last, N, H, W, C.
"""

import json
import sys
import time

import torch


class Problem:
    """The tensors of one shape and layout, and the newest outputs."""

    def __init__(self, shape, last, eps, files):
        self.last = last and len(shape) > 2
        self.eps = eps
        self.tensors = {name: self.read(path, shape if name in ("x", "dy") else None) for name, path in files.items()}
        self.outputs = None

    def read(self, path, shape):
        size = 1
        for n in shape or [self.size_of(path)]:
            size *= n
        values = torch.from_file(path, size=size, dtype=torch.float32).clone()
        if shape is None:
            return values
        values = values.reshape(shape)
        # A view of the same memory: PyTorch's channels-last format.
        return values.movedim(-1, 1) if self.last else values

    @staticmethod
    def size_of(path):
        with open(path, "rb") as file:
            return file.seek(0, 2) // 4

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

    def sample(self, operation, threads, calls):
        """Milliseconds a call. The output of the call before is freed first, so that its memory serves again."""
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        run = getattr(self, operation)
        self.outputs = None
        start = time.perf_counter()
        for _ in range(calls):
            self.outputs = None
            self.outputs = run()
        return (time.perf_counter() - start) * 1000 / calls

    def write(self, files):
        for path, values in zip(files, self.outputs):
            if self.last and values.dim() > 1:
                values = values.movedim(1, -1)
            torch.from_file(path, shared=True, size=values.numel(), dtype=torch.float32).copy_(values.reshape(-1))


def serve():
    problem = None
    answer = {"version": torch.__version__}
    while True:
        print(json.dumps(answer), flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        command = json.loads(line)
        answer = {}
        if command["do"] == "prepare":
            problem = None
            problem = Problem(command["shape"], command["last"], command["eps"], command["files"])
        elif command["do"] == "sample":
            answer = {"ms": problem.sample(command["operation"], command["threads"], command["calls"])}
        else:
            problem.write(command["files"])


with torch.no_grad():
    serve()
