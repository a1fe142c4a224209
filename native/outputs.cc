// Makes and hands out the memory of outputs.
#include "outputs.h"

#include <algorithm>
#include <new>

#include "call.h"

namespace bn {
namespace {

constexpr Element kinds[] = {Element::float32, Element::float64, Element::bits16};

/** An ArrayBuffer of any contents, which no JavaScript has seen. */
bool make_buffer(napi_env env, size_t bytes, napi_value* buffer, void** data) {
  // A Buffer needs no zeros, but some engines give a piece of a larger one.
  napi_value view;
  size_t offset, length;
  if (napi_create_buffer(env, bytes, data, &view) == napi_ok &&
      napi_get_typedarray_info(env, view, nullptr, nullptr, nullptr, buffer, &offset) == napi_ok &&
      napi_get_arraybuffer_info(env, *buffer, data, &length) == napi_ok && offset == 0 && length == bytes) {
    return true;
  }
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) != napi_ok || pending) return false;
  return napi_create_arraybuffer(env, bytes, data, buffer) == napi_ok;
}

void forget(Environment& environment, const Output* output) {
  std::vector<Output*>& all = environment.outputs;
  all.erase(std::remove(all.begin(), all.end(), output), all.end());
}

void destroy(napi_env env, Environment& environment, Output* output) {
  if (output->buffer != nullptr) napi_delete_reference(env, output->buffer);
  delete output;
  environment.release();
}

/** The handle was collected. */
void drop_output(napi_env env, void* data, void* hint) {
  Output* output = static_cast<Output*>(data);
  Environment& environment = *static_cast<Environment*>(hint);
  forget(environment, output);
  output->is_dropped = true;
  if (output->calls == 0) destroy(env, environment, output);
}

/** Makes the handle of an output, which is kept by it. */
napi_value handle_of(napi_env env, Environment& environment, const Array& array, napi_value buffer) {
  Output* output = new (std::nothrow) Output;
  if (output == nullptr) return raise(env);
  output->array = array;
  napi_value handle;
  if (napi_create_reference(env, buffer, 1, &output->buffer) != napi_ok ||
      napi_create_external(env, output, drop_output, &environment, &handle) != napi_ok) {
    if (output->buffer != nullptr) napi_delete_reference(env, output->buffer);
    delete output;
    return raise(env);
  }
  environment.holds++;
  environment.outputs.push_back(output);
  return handle;
}

}  // namespace

Output* output_of(napi_env env, Environment& environment, napi_value handle) {
  napi_valuetype kind;
  void* data;
  if (napi_typeof(env, handle, &kind) != napi_ok || kind != napi_external) return nullptr;
  if (napi_get_value_external(env, handle, &data) != napi_ok) return nullptr;
  // It may be the handle of anything, of another addon too.
  const std::vector<Output*>& all = environment.outputs;
  const auto found = std::find(all.begin(), all.end(), data);
  return found == all.end() ? nullptr : *found;
}

void leave_output(napi_env env, Environment& environment, Output* output) {
  if (--output->calls == 0 && output->is_dropped) destroy(env, environment, output);
}

napi_value make_output(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value values[2];
  uint32_t kind;
  int64_t length;
  if (napi_get_cb_info(env, info, &count, values, nullptr, nullptr) != napi_ok) return raise(env);
  Environment* environment = environment_of(env);
  if (environment == nullptr) return nullptr;
  constexpr int64_t most = int64_t(1) << 49;
  if (napi_get_value_uint32(env, values[0], &kind) != napi_ok || kind >= std::size(kinds) ||
      napi_get_value_int64(env, values[1], &length) != napi_ok || length < 1 || length > most) {
    return refuse_type(env, "makeOutput(kind, length) takes the number of a kind and a length of at least 1");
  }
  Array array;
  array.element = kinds[kind];
  array.length = static_cast<size_t>(length);
  napi_value buffer;
  if (!make_buffer(env, array.length * bytes_of(array.element), &buffer, &array.data)) return raise(env);
  return handle_of(env, *environment, array, buffer);
}

napi_value take_output(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value handle, buffer;
  if (napi_get_cb_info(env, info, &count, &handle, nullptr, nullptr) != napi_ok) return raise(env);
  Environment* environment = environment_of(env);
  if (environment == nullptr) return nullptr;
  Output* output = output_of(env, *environment, handle);
  if (output == nullptr) return refuse_type(env, "takeOutput(handle) takes an output that was not taken");
  if (output->calls > 0) return refuse_type(env, "a call works on the output");
  if (napi_get_reference_value(env, output->buffer, &buffer) != napi_ok) return raise(env);
  napi_delete_reference(env, output->buffer);
  output->buffer = nullptr;
  forget(*environment, output);
  return buffer;
}

}  // namespace bn
