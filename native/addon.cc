// N-API glue: unwrap the arguments, check them, call the table. The only file that includes napi.h.
#include <napi.h>

#include <cstdlib>

#include "call.h"
#include "later.h"
#include "machine.h"
#include "outputs.h"
#include "pages.h"
#include "self_check/self_check.h"
#include "target.h"

namespace {

using bn::Array;
using bn::Element;
using bn::EntryPoint;
using bn::raise;

/** Small scratch is on the stack. A sanitizer sees what is written past scratch of the heap alone. */
#ifdef __SANITIZE_ADDRESS__
constexpr size_t stack_length = 1;
#else
constexpr size_t stack_length = 4096;
#endif

/**
 * What kernels leave between their steps, for one call. The sizes are checked, so that they cannot overflow:
 * columns are fewer than 16 for each channel of the control block, and groups are fewer than the elements.
 * Pages of the heap that a kernel does not touch cost nothing, but a small piece of it costs a small call a
 * tenth of its time.
 */
class Scratch {
 public:
  explicit Scratch(size_t length)
      : heap_(length > stack_length ? std::malloc(length * sizeof(double) + line) : nullptr),
        is_missing_(length > stack_length && heap_ == nullptr) {}
  ~Scratch() { std::free(heap_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  /** It begins at a cache line, so that vectors do not cross one. */
  double* memory() {
    const uintptr_t heap = reinterpret_cast<uintptr_t>(heap_);
    return heap_ == nullptr ? stack_ : reinterpret_cast<double*>((heap + line - 1) / line * line);
  }
  bool is_missing() const { return is_missing_; }

 private:
  static constexpr size_t line = 64;

  void* const heap_;
  const bool is_missing_;
  alignas(line) double stack_[stack_length];
};

napi_value call_kernel(napi_env env, napi_callback_info info) {
  constexpr size_t most = 1 + bn::max_operands;
  size_t count = most;
  napi_value values[most];
  void* id;
  if (napi_get_cb_info(env, info, &count, values, nullptr, &id) != napi_ok) return raise(env);
  const EntryPoint entry = EntryPoint::of(id);
  const bn::Operation& operation = entry.called();
  if (count > 1 + operation.count) return bn::refuse_type(env, "too many arguments");
  Array arrays[most];
  for (size_t i = 0; i < count; i++) {
    if (bn::read_array(env, values[i], &arrays[i]) != napi_ok) return raise(env);
  }
  bn::Header header;
  bn::Failure failure;
  if (!bn::check(operation, arrays[0], arrays + 1, &header, &failure)) return bn::refuse(env, failure);
  Scratch scratch(header.scratch_length());
  if (scratch.is_missing()) return bn::refuse_scratch(env);
  bn::Control control(header, static_cast<double*>(arrays[0].data), scratch.memory());
  bn::Operands operands = {};
  for (size_t i = 0; i < operation.count; i++) {
    const Array& array = arrays[1 + i];
    operands.*operation.operands[i].member = array.data;
    if (operation.operands[i].is_output && array.element != Element::absent) {
      bn::ask_for_huge_pages(array.data, header.elements() * bn::bytes_of(array.element));
    }
  }
  const bn::KernelTable* table = bn::table_of(entry.kernels(), header.storage, arrays[1].element);
  if (table == nullptr) return bn::refuse_type(env, bn::no_16_bit);
  {
    const bn::DefaultFloatMode mode;
    (table->*operation.kernel)(control, operands);
  }
  control.block[bn::slot::threads_used] = static_cast<double>(control.threads_used);
  return nullptr;
}

/** Null where the instruction set has none. */
const bn::KernelTable* table_of(const bn::Kernels& kernels, bn::CheckType type) {
  switch (type) {
    case bn::CheckType::float32:
      return &kernels.f32;
    case bn::CheckType::float64:
      return &kernels.f64;
    case bn::CheckType::float16:
      return kernels.f16;
    case bn::CheckType::bfloat16:
      return kernels.bf16;
  }
  return nullptr;
}

napi_value array_of(napi_env env, const uint32_t* values, size_t count) {
  napi_value array;
  if (napi_create_array_with_length(env, count, &array) != napi_ok) return raise(env);
  for (uint32_t i = 0; i < count; i++) {
    napi_value value;
    if (napi_create_uint32(env, values[i], &value) != napi_ok ||
        napi_set_element(env, array, i, value) != napi_ok) {
      return raise(env);
    }
  }
  return array;
}

/** hashes(type, weighted): those of the self-check's cases. The type is a number, in the package's order. */
napi_value call_self_check(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value values[2];
  void* id;
  if (napi_get_cb_info(env, info, &count, values, nullptr, &id) != napi_ok) return raise(env);
  uint32_t type;
  bool weighted;
  if (napi_get_value_uint32(env, values[0], &type) != napi_ok || type >= bn::check_type_count ||
      napi_get_value_bool(env, values[1], &weighted) != napi_ok) {
    return bn::refuse_type(env, "hashes(type, weighted) takes the number of a type and a boolean");
  }
  const bn::CheckType check_type = static_cast<bn::CheckType>(type);
  const bn::KernelTable* table =
      table_of(*bn::instruction_sets[reinterpret_cast<size_t>(id)].kernels, check_type);
  const bn::DefaultFloatMode mode;
  uint32_t hashes[bn::check_case_count];
  if (table == nullptr || !bn::self_check(*table, check_type, weighted, hashes)) {
    const char* message = table == nullptr ? bn::no_16_bit : "there is no memory for the self-check";
    return napi_throw_error(env, nullptr, message) == napi_ok ? nullptr : raise(env);
  }
  return array_of(env, hashes, bn::check_case_count);
}

bool add_function(napi_env env, Napi::Object object, const char* name, napi_callback call, void* id) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, id, &function) != napi_ok) {
    raise(env);
    return false;
  }
  object.Set(name, function);
  return true;
}

/** The kernels of one instruction set, or why this machine cannot run them: then there is nothing to call. */
Napi::Value export_set(Napi::Env env, size_t set) {
  Napi::Object object = Napi::Object::New(env);
  if (const char* reason = bn::instruction_sets[set].unavailable()) {
    object.Set("unavailable", reason);
    return object;
  }
  Napi::Object later = Napi::Object::New(env);
  for (size_t i = 0; i < bn::operation_count; i++) {
    const char* name = bn::operations[i].name;
    void* id = EntryPoint{set, i}.id();
    if (!add_function(env, object, name, call_kernel, id) ||
        !add_function(env, later, name, bn::start_call, id))
      return Napi::Value();
  }
  object.Set("later", later);
  if (!add_function(env, object, "hashes", call_self_check, reinterpret_cast<void*>(set)))
    return Napi::Value();
  object.Set("has16Bit", bn::instruction_sets[set].kernels->f16 != nullptr);
  return object;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  Napi::Object sets = Napi::Object::New(env);
  for (size_t set = 0; set < bn::instruction_set_count; set++) {
    const Napi::Value value = export_set(env, set);
    if (env.IsExceptionPending()) return exports;
    sets.Set(bn::instruction_sets[set].kernels->name, value);
  }
  exports.Set("instructionSets", sets);
  exports.Set("cacheBytes", static_cast<double>(bn::cache_bytes));
  bn::retain_pool();
  env.AddCleanupHook(bn::release_pool);
  // Its hook runs before that of the pool, which its calls use.
  if (!bn::prepare_calls(env)) {
    raise(env);
    return exports;
  }
  if (!add_function(env, exports, "makeOutput", bn::make_output, nullptr) ||
      !add_function(env, exports, "takeOutput", bn::take_output, nullptr) ||
      !add_function(env, exports, "isLasting", bn::is_lasting, nullptr)) {
    return exports;
  }
  return exports;
}

}  // namespace

NODE_API_MODULE(batchnorm, init)
