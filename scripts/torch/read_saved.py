"""Reads a file that `save` of batchnorm/pytorch wrote, as strictly as torch can: python3 read_saved.py FILE"""

import sys
import zipfile

import torch

if zipfile.ZipFile(sys.argv[1]).testzip() is not None:
    sys.exit("a checksum is wrong")
for name, tensor in torch.load(sys.argv[1], weights_only=True).items():
    print(name, tensor.dtype, list(tensor.shape), tensor.flatten().tolist())
