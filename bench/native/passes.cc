#include "passes.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <numeric>

#if BENCH_STREAMS
#include <emmintrin.h>
#endif

// As wide as the kernels are, where the C library can choose at run time.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define BENCH_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define BENCH_WIDE
#endif

namespace bench {
namespace {

constexpr size_t line = 64;

/** Channels-first: as many channels as lie side by side in some 6 KB of a sample. */
size_t channels_of_tile(const Extent& extent) {
  return std::clamp<size_t>(1600 / extent.inner, 1, extent.channels);
}

bool is_planes(const Extent& extent) { return extent.inner >= 16; }

BENCH_WIDE void add(float* __restrict y, const float* __restrict x, const float* __restrict dy,
                    size_t count) {
  for (size_t i = 0; i < count; i++) y[i] = x[i] + dy[i];
}

void write(const Passes& passes, size_t begin, size_t count) {
  float* y = passes.out + begin;
  const float *x = passes.x + begin, *dy = passes.dy ? passes.dy + begin : nullptr;
  if (passes.streams) return stream(y, x, dy, count);
  if (dy) return add(y, x, dy, count);
  std::memcpy(y, x, count * sizeof(float));
}

float read(const Passes& passes, size_t begin, size_t count) {
  const float x = sum(passes.x + begin, count);
  return passes.dy ? x + sum(passes.dy + begin, count) : x;
}

/** Both passes over the tile: the second begins with what was read last. */
float run_tile(const Passes& passes, size_t tile) {
  const Extent& extent = passes.extent;
  const size_t width = channels_of_tile(extent), first = tile * width;
  const size_t count = std::min(width, extent.channels - first) * extent.inner;
  const auto start = [&](size_t o) { return (o * extent.channels + first) * extent.inner; };
  float total = 0;
  for (size_t o = 0; o < extent.outer; o++) total += read(passes, start(o), count);
  for (size_t o = extent.outer; o-- > 0;) write(passes, start(o), count);
  return total;
}

/** Rows: the second pass goes backwards by chunks, as the kernels' does. */
float run_rows(const Passes& passes, size_t begin, size_t end) {
  const size_t row = passes.extent.channels * passes.extent.inner, chunk = 65536;
  const size_t first = begin * row, length = (end - begin) * row;
  const float total = read(passes, first, length);
  for (size_t i = (length + chunk - 1) / chunk; i-- > 0;)
    write(passes, first + i * chunk, std::min(chunk, length - i * chunk));
  return total;
}

}  // namespace

BENCH_WIDE float sum(const float* values, size_t count) {
  float lanes[64] = {};
  size_t i = 0;
  for (; i + 64 <= count; i += 64)
    for (size_t lane = 0; lane < 64; lane++) lanes[lane] += values[i + lane];
  for (; i < count; i++) lanes[0] += values[i];
  return std::accumulate(lanes, lanes + 64, 0.0f);
}

void stream(float* y, const float* x, const float* dy, size_t count) {
  const auto plain = [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; i++) y[i] = dy ? x[i] + dy[i] : x[i];
  };
#if BENCH_STREAMS
  size_t i = std::min(count, (line - reinterpret_cast<uintptr_t>(y) % line) % line / sizeof(float));
  plain(0, i);
  for (; i + 16 <= count; i += 16) {
    for (size_t j = i; j < i + 16; j += 4) {
      const __m128 value = _mm_loadu_ps(x + j);
      _mm_stream_ps(y + j, dy ? _mm_add_ps(value, _mm_loadu_ps(dy + j)) : value);
    }
  }
  plain(i, count);
  // Streaming stores are ordered with nothing else: the slice is done when they are visible.
  _mm_sfence();
#else
  plain(0, count);
#endif
}

size_t parts_of(const Passes& passes) {
  const Extent& extent = passes.extent;
  if (!is_planes(extent)) return extent.outer;
  const size_t width = channels_of_tile(extent);
  return (extent.channels + width - 1) / width;
}

float run_parts(const Passes& passes, size_t begin, size_t end) {
  if (begin >= end) return 0;
  if (!is_planes(passes.extent)) return run_rows(passes, begin, end);
  float total = 0;
  for (size_t tile = begin; tile < end; tile++) total += run_tile(passes, tile);
  return total;
}

}  // namespace bench
