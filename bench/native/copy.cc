// What the benchmark compares with: libc's memcpy, a copy with streaming stores, a pass that reads, and
// floors. Not part of the package.
#include <node_api.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <system_error>

#include "arguments.h"
#include "passes.h"
#include "workers.h"

using bench::Array;
using bench::fail;

namespace {

bench::Workers workers;

/** Cache lines of values, for slices that share none. */
constexpr size_t line = 16;

/** Slices of so many units on some threads; false after an exception. */
bool share(napi_env env, size_t units, size_t threads, const bench::Slice& slice) {
  try {
    workers.run(units, threads, slice);
  } catch (const std::system_error& error) {
    fail(env, error.what());
    return false;
  }
  return true;
}

/** The same of an array's values. */
bool share_values(napi_env env, size_t length, size_t threads, const bench::Slice& slice) {
  return share(env, (length + line - 1) / line, threads,
               [&](size_t begin, size_t end) { slice(begin * line, std::min(end * line, length)); });
}

using CopyFunction = void (*)(float* y, const float* x, size_t count);

void plain_copy(float* y, const float* x, size_t count) { std::memcpy(y, x, count * sizeof(float)); }
void stream_copy(float* y, const float* x, size_t count) { bench::stream(y, x, nullptr, count); }

/** (x, y, threads): x to y. */
template <CopyFunction copy_values>
napi_value copy(napi_env env, napi_callback_info info) {
  size_t count = 3, threads;
  napi_value values[3];
  Array x, y;
  if (napi_get_cb_info(env, info, &count, values, nullptr, nullptr) != napi_ok)
    return fail(env, "no arguments");
  if (!bench::read_array(env, values[0], &x) || !bench::read_array(env, values[1], &y) ||
      x.length != y.length)
    return fail(env, "x and y must be Float32Arrays of one length");
  if (x.overlaps(y)) return fail(env, "x and y must not overlap");
  if (!bench::read_threads(env, values[2], &threads)) return fail(env, "threads must be 1 to 64");
  share_values(env, x.length, threads,
               [&](size_t begin, size_t end) { copy_values(y.data + begin, x.data + begin, end - begin); });
  return nullptr;
}

/** Adds up what several threads find. */
class Total {
 public:
  void add(float part) {
    const std::lock_guard<std::mutex> lock(mutex_);
    value_ += part;
  }

  napi_value result(napi_env env) const {
    napi_value result;
    return napi_create_double(env, value_, &result) == napi_ok ? result : fail(env, "no result");
  }

 private:
  std::mutex mutex_;
  double value_ = 0;
};

/** (y, threads): the sum of y's values, in any order. */
napi_value read(napi_env env, napi_callback_info info) {
  size_t count = 2, threads;
  napi_value values[2];
  Array y;
  if (napi_get_cb_info(env, info, &count, values, nullptr, nullptr) != napi_ok)
    return fail(env, "no arguments");
  if (!bench::read_array(env, values[0], &y)) return fail(env, "y must be a Float32Array");
  if (!bench::read_threads(env, values[1], &threads)) return fail(env, "threads must be 1 to 64");
  Total total;
  const bool done = share_values(env, y.length, threads, [&](size_t begin, size_t end) {
    total.add(bench::sum(y.data + begin, end - begin));
  });
  return done ? total.result(env) : nullptr;
}

/** (x, dy or null, out, outer, channels, inner, threads): the floor of forward, or with dy of backward. */
template <bool streams>
napi_value passes(napi_env env, napi_callback_info info) {
  size_t count = 7, threads;
  napi_value values[7];
  Array x, dy, out;
  bench::Extent extent;
  if (napi_get_cb_info(env, info, &count, values, nullptr, nullptr) != napi_ok)
    return fail(env, "no arguments");
  if (!bench::read_extent(env, values + 3, &extent))
    return fail(env, "outer, channels and inner must be positive");
  if (!bench::read_array(env, values[0], &x) || !bench::read_array(env, values[2], &out) ||
      x.length != extent.length() || out.length != x.length)
    return fail(env, "x and out must be Float32Arrays of outer·channels·inner values");
  if (!bench::is_null(env, values[1]) && (!bench::read_array(env, values[1], &dy) || dy.length != x.length))
    return fail(env, "dy must be null or a Float32Array as long as x");
  if (out.overlaps(x) || out.overlaps(dy)) return fail(env, "out must not overlap x or dy");
  if (!bench::read_threads(env, values[6], &threads)) return fail(env, "threads must be 1 to 64");
  const bench::Passes task = {x.data, dy.data, out.data, extent, streams};
  Total total;
  const bool done = share(env, bench::parts_of(task), threads,
                          [&](size_t begin, size_t end) { total.add(bench::run_parts(task, begin, end)); });
  return done ? total.result(env) : nullptr;
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
    {"passes", passes<false>},
#if BENCH_STREAMS
    {"streamPasses", passes<true>},
#endif
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
