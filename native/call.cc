// Arguments of kernel calls, by Node-API.
#include "call.h"

namespace bn {

napi_value raise(napi_env env) {
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) == napi_ok && !pending) {
    napi_throw_error(env, nullptr, "batchnorm: an N-API call failed");
  }
  return nullptr;
}

napi_value refuse(napi_env env, const Failure& failure) {
  const auto throw_one = failure.is_type_error ? napi_throw_type_error : napi_throw_range_error;
  return throw_one(env, nullptr, failure.message) == napi_ok ? nullptr : raise(env);
}

napi_value refuse_type(napi_env env, const char* message) {
  return napi_throw_type_error(env, nullptr, message) == napi_ok ? nullptr : raise(env);
}

napi_value refuse_scratch(napi_env env) {
  const char* message = "the shape needs more memory for its columns than the system has";
  return napi_throw_range_error(env, "ERR_BATCHNORM_SHAPE", message) == napi_ok ? nullptr : raise(env);
}

napi_status read_array(napi_env env, napi_value value, Array* array) {
  // Left as it is for kinds that Node-API does not know: Float16Array in some versions of Node.
  napi_typedarray_type type = napi_uint8_array;
  napi_status status =
      napi_get_typedarray_info(env, value, &type, &array->length, &array->data, nullptr, nullptr);
  if (status == napi_invalid_arg) {
    napi_valuetype kind;
    status = napi_typeof(env, value, &kind);
    const bool absent = kind == napi_undefined || kind == napi_null;
    array->element = absent ? Element::absent : Element::other;
    return status;
  }
  if (status != napi_ok) return status;
  array->element = type == napi_float32_array   ? Element::float32
                   : type == napi_float64_array ? Element::float64
                   : type == napi_uint16_array  ? Element::bits16
                                                : Element::other;
  if (array->length != 0) return napi_ok;
  napi_value buffer;
  status = napi_get_typedarray_info(env, value, nullptr, nullptr, nullptr, &buffer, nullptr);
  return status == napi_ok ? napi_is_detached_arraybuffer(env, buffer, &array->detached) : status;
}

const KernelTable* table_of(const Kernels& kernels, Storage storage, Element element) {
  if (storage == Storage::own) return element == Element::float32 ? &kernels.f32 : &kernels.f64;
  return storage == Storage::float16 ? kernels.f16 : kernels.bf16;
}

}  // namespace bn
