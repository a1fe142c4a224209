#include "arguments.h"

#include "errors.h"
#include "handles.h"

namespace bn::mpi {
namespace {

template <typename T>
bool read_array_of(napi_env env, napi_value value, napi_typedarray_type needed, Array<T>* array) {
  napi_typedarray_type type = napi_uint8_array;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != needed) {
    return false;
  }
  *array = {static_cast<const T*>(data), length};
  return true;
}

}  // namespace

Exchange* Arguments::read(napi_env env, napi_callback_info info, size_t needed) {
  size_t count = 4;
  if (napi_get_cb_info(env, info, &count, values, nullptr, nullptr) != napi_ok) {
    fail(env);
    return nullptr;
  }
  if (count < needed) {
    refuse(env, "batchnorm/mpi: too few arguments");
    return nullptr;
  }
  return exchange_of(env, values[0]);
}

Exchange* Arguments::read_idle(napi_env env, napi_callback_info info, size_t needed) {
  Exchange* exchange = read(env, info, needed);
  if (exchange == nullptr || !exchange->is_pending()) return exchange;
  refuse(env, "batchnorm/mpi: a gather is pending");
  return nullptr;
}

Exchange* Arguments::read_opened(napi_env env, napi_callback_info info, size_t needed) {
  Exchange* exchange = read(env, info, needed);
  if (exchange == nullptr || exchange->state() != State::opening) return exchange;
  refuse(env, "batchnorm/mpi: the group is not open yet");
  return nullptr;
}

bool read_array(napi_env env, napi_value value, Array<int32_t>* array) {
  return read_array_of(env, value, napi_int32_array, array);
}

bool read_array(napi_env env, napi_value value, Array<double>* array) {
  return read_array_of(env, value, napi_float64_array, array);
}

bool read_kind(napi_env env, napi_value value, Kind* kind) {
  uint32_t index = 0;
  if (napi_get_value_uint32(env, value, &index) != napi_ok || index >= kinds) {
    refuse(env, "batchnorm/mpi: no kind of notice");
    return false;
  }
  *kind = static_cast<Kind>(index);
  return true;
}

napi_value number(napi_env env, double value) {
  napi_value result;
  return napi_create_double(env, value, &result) == napi_ok ? result : fail(env);
}

napi_value text(napi_env env, const char* characters) {
  napi_value result;
  const napi_status status = napi_create_string_utf8(env, characters, NAPI_AUTO_LENGTH, &result);
  return status == napi_ok ? result : fail(env);
}

napi_value doubles(napi_env env, size_t length, double** data) {
  napi_value buffer;
  napi_value result;
  void* memory = nullptr;
  if (napi_create_arraybuffer(env, length * sizeof(double), &memory, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_float64_array, length, buffer, 0, &result) != napi_ok) {
    return fail(env);
  }
  *data = static_cast<double*>(memory);
  return result;
}

}  // namespace bn::mpi
