// What the benchmark compares with: libc's memcpy, a copy with streaming stores, and a pass that reads. Not
// part of the package.
#include <node_api.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <system_error>

#include "workers.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <emmintrin.h>
#define BENCH_STREAMS 1
#else
#define BENCH_STREAMS 0
#endif

namespace {

constexpr uint32_t most_threads = 64;
bench::Workers workers;

struct Bytes {
  char* data = nullptr;
  size_t size = 0;
};

napi_value fail(napi_env env, const char* message) {
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) == napi_ok && !pending)
    napi_throw_type_error(env, nullptr, message);
  return nullptr;
}

bool read_array(napi_env env, napi_value value, Bytes* bytes) {
  napi_typedarray_type type;
  size_t length;
  void* data;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok) return false;
  if (type != napi_float32_array) return false;
  *bytes = {static_cast<char*>(data), length * sizeof(float)};
  return true;
}

bool read_threads(napi_env env, napi_value value, size_t* threads) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok) return false;
  if (!(number >= 1 && number <= most_threads)) return false;
  *threads = static_cast<size_t>(number);
  return true;
}

#if BENCH_STREAMS
void stream_copy(char* y, const char* x, size_t size) {
  const size_t head = std::min(size, (16 - reinterpret_cast<uintptr_t>(y) % 16) % 16);
  std::memcpy(y, x, head);
  size_t i = head;
  for (; i + 64 <= size; i += 64) {
    for (size_t j = i; j < i + 64; j += 16)
      _mm_stream_si128(reinterpret_cast<__m128i*>(y + j),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + j)));
  }
  std::memcpy(y + i, x + i, size - i);
  // Streaming stores are ordered with nothing else: the slice is done when they are visible.
  _mm_sfence();
}
#endif

void plain_copy(char* y, const char* x, size_t size) { std::memcpy(y, x, size); }

/** 16 sums side by side: one alone would wait for its additions, not for memory. */
float sum(const char* bytes, size_t size) {
  const float* values = reinterpret_cast<const float*>(bytes);
  const size_t count = size / sizeof(float), whole = count - count % 16;
  float lanes[16] = {};
  for (size_t i = 0; i < whole; i += 16)
    for (size_t lane = 0; lane < 16; lane++) lanes[lane] += values[i + lane];
  for (size_t i = whole; i < count; i++) lanes[0] += values[i];
  return std::accumulate(lanes, lanes + 16, 0.0f);
}

using CopyFunction = void (*)(char* y, const char* x, size_t size);

/** (x, y, threads): x to y. */
template <CopyFunction copy_bytes>
napi_value copy(napi_env env, napi_callback_info info) {
  size_t count = 3, threads;
  napi_value values[3];
  Bytes x, y;
  if (napi_get_cb_info(env, info, &count, values, nullptr, nullptr) != napi_ok)
    return fail(env, "no arguments");
  if (!read_array(env, values[0], &x) || !read_array(env, values[1], &y) || x.size != y.size)
    return fail(env, "x and y must be Float32Arrays of one length");
  if (x.size > 0 && x.data < y.data + y.size && y.data < x.data + x.size)
    return fail(env, "x and y must not overlap");
  if (!read_threads(env, values[2], &threads)) return fail(env, "threads must be 1 to 64");
  try {
    workers.run(x.size, threads,
                [&](size_t begin, size_t end) { copy_bytes(y.data + begin, x.data + begin, end - begin); });
  } catch (const std::system_error& error) {
    return fail(env, error.what());
  }
  return nullptr;
}

/** (y, threads): the sum of y's values, in any order. */
napi_value read(napi_env env, napi_callback_info info) {
  size_t count = 2, threads;
  napi_value values[2], result;
  Bytes y;
  if (napi_get_cb_info(env, info, &count, values, nullptr, nullptr) != napi_ok)
    return fail(env, "no arguments");
  if (!read_array(env, values[0], &y)) return fail(env, "y must be a Float32Array");
  if (!read_threads(env, values[1], &threads)) return fail(env, "threads must be 1 to 64");
  std::mutex mutex;
  double total = 0;
  try {
    workers.run(y.size, threads, [&](size_t begin, size_t end) {
      const float part = sum(y.data + begin, end - begin);
      const std::lock_guard<std::mutex> lock(mutex);
      total += part;
    });
  } catch (const std::system_error& error) {
    return fail(env, error.what());
  }
  return napi_create_double(env, total, &result) == napi_ok ? result : fail(env, "no result");
}

const struct {
  const char* name;
  napi_callback function;
} exported[] = {
    {"copy", copy<plain_copy>},
#if BENCH_STREAMS
    {"streamCopy", copy<stream_copy>},
#endif
    {"read", read},
};

}  // namespace

NAPI_MODULE_INIT() {
  for (const auto& [name, callback] : exported) {
    napi_value function;
    if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function) != napi_ok ||
        napi_set_named_property(env, exports, name, function) != napi_ok)
      return fail(env, "the functions cannot be exported");
  }
  return exports;
}
