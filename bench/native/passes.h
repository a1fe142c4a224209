// Floors: passes over memory that read and write what forward and backward do, in an order as good, and
// compute next to nothing. What they take, a kernel of the same traffic cannot beat by much.
#pragma once

#include <cstddef>

namespace bench {

struct Extent {
  size_t outer, channels, inner;

  size_t length() const { return outer * channels * inner; }
};

/**
 * Forward (`dy` null) reads x, then copies x to out; backward reads x and dy, then writes x + dy. A tile of
 * channels (channels-first), or a chunk of rows, is read before any of it is written.
 */
struct Passes {
  const float *x, *dy;
  float* out;
  Extent extent;
  /** Writes past the caches, where the CPU can. */
  bool streams;
};

/** Parts that may run at once. */
size_t parts_of(const Passes& passes);

/** Parts [begin, end); the sum of all that the first passes read. */
float run_parts(const Passes& passes, size_t begin, size_t end);

#if defined(__x86_64__) || defined(_M_X64)
#define BENCH_STREAMS 1
#else
#define BENCH_STREAMS 0
#endif

/** y[i] = x[i] (+ dy[i]) with stores that bypass the caches, or as usual where there are none. */
void stream(float* y, const float* x, const float* dy, size_t count);

/** The sum of `count` values. */
float sum(const float* values, size_t count);

}  // namespace bench
