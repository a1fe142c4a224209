// The arguments of the exported functions: a wrong one is a TypeError.
#pragma once

#include <node_api.h>

#include <cstdint>

#include "passes.h"

namespace bench {

constexpr uint32_t most_threads = 64;

struct Array {
  float* data = nullptr;
  size_t length = 0;

  bool overlaps(const Array& other) const {
    return length > 0 && other.length > 0 && data < other.data + other.length && other.data < data + length;
  }
};

inline napi_value fail(napi_env env, const char* message) {
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) == napi_ok && !pending)
    napi_throw_type_error(env, nullptr, message);
  return nullptr;
}

inline bool read_array(napi_env env, napi_value value, Array* array) {
  napi_typedarray_type type;
  size_t length;
  void* data;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok) return false;
  if (type != napi_float32_array) return false;
  *array = {static_cast<float*>(data), length};
  return true;
}

inline bool is_null(napi_env env, napi_value value) {
  napi_valuetype type;
  return napi_typeof(env, value, &type) == napi_ok && type == napi_null;
}

inline bool read_threads(napi_env env, napi_value value, size_t* threads) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok) return false;
  if (!(number >= 1 && number <= most_threads)) return false;
  *threads = static_cast<size_t>(number);
  return true;
}

inline bool read_extent(napi_env env, const napi_value* values, Extent* extent) {
  int64_t sizes[3];
  for (size_t i = 0; i < 3; i++) {
    if (napi_get_value_int64(env, values[i], &sizes[i]) != napi_ok) return false;
    if (sizes[i] < 1 || sizes[i] > INT32_MAX) return false;
  }
  // Two such sizes multiply without overflow.
  if (sizes[0] * sizes[1] > INT64_MAX / sizes[2]) return false;
  *extent = {static_cast<size_t>(sizes[0]), static_cast<size_t>(sizes[1]), static_cast<size_t>(sizes[2])};
  return true;
}

}  // namespace bench
