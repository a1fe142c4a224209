"""Seeded data with the same bits in Python and in TypeScript (src/verify/data.ts)."""

import numpy as np

CHUNK = 1 << 18


def uniforms(seed, first, count):
    """Numbers first .. first+count-1 of mulberry32's sequence, whose k-th state is seed + k * 0x6d2b79f5."""
    with np.errstate(over="ignore"):
        k = np.arange(first + 1, first + count + 1, dtype=np.uint64).astype(np.uint32)
        state = np.uint32(seed & 0xFFFFFFFF) + k * np.uint32(0x6D2B79F5)
        t = (state ^ (state >> np.uint32(15))) * (state | np.uint32(1))
        t ^= t + (t ^ (t >> np.uint32(7))) * (t | np.uint32(61))
        return (t ^ (t >> np.uint32(14))).astype(np.float64) / 2.0**32


def normals(seed, count):
    """Sums of 12 uniforms less 6: standard deviation 1, and exact, so that no library's rounding is in it."""
    parts = []
    for first in range(0, count, CHUNK):
        rows = min(CHUNK, count - first)
        parts.append(uniforms(seed, first * 12, rows * 12).reshape(rows, 12).sum(axis=1) - 6.0)
    return np.concatenate(parts) if parts else np.empty(0)
