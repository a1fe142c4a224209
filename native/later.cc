// Starts kernel calls on libuv's threads and settles their promises.
#include "later.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "call.h"
#include "outputs.h"
#include "pages.h"
#include "target.h"

namespace bn {
namespace {

/** A control block, a word to stop by, and the operands. */
constexpr size_t most_values = 2 + max_operands;

enum class Stage : unsigned { made, queued, done };

/** A call. The thread of its kernel has it from `queued` to `done`, and the JavaScript thread before and
 * after. */
struct Call {
  Environment* environment;
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
  /** The buffers of the operands and of the word, and the control block that was given. */
  napi_ref held[most_values] = {};
  Output* outputs[max_operands] = {};
  Header header;
  const Operation* operation;
  const KernelTable* table;
  double* block = nullptr;
  void* scratch = nullptr;
  Array arrays[max_operands];
  Stop stop;
  std::atomic<Stage> stage{Stage::made};
};

constexpr size_t line = 64;

void delete_environment(napi_env, void* data, void*) { static_cast<Environment*>(data)->release(); }

/** Calls that run are asked to end, and waited for: they read memory of the environment. */
void end_calls(void* data) {
  Environment& environment = *static_cast<Environment*>(data);
  environment.ends = true;
  for (unsigned left = environment.running; left != 0; left = environment.running)
    environment.running.wait(left);
}

/** Whether an array is in memory that cannot go away, and the buffer to hold. An array of no length needs
 * none. */
bool is_shared(napi_env env, napi_value array, napi_value* buffer, bool* shared) {
  bool is_ordinary;
  if (napi_get_typedarray_info(env, array, nullptr, nullptr, nullptr, buffer, nullptr) != napi_ok ||
      napi_is_arraybuffer(env, *buffer, &is_ordinary) != napi_ok) {
    return false;
  }
  // The buffer of a typed array is of one of two classes.
  *shared = !is_ordinary;
  return true;
}

/** Destroys a call that no thread has. */
void destroy(napi_env env, Call* call) {
  for (napi_ref reference : call->held) {
    if (reference != nullptr) napi_delete_reference(env, reference);
  }
  for (Output* output : call->outputs) {
    if (output != nullptr) leave_output(env, *call->environment, output);
  }
  if (call->work != nullptr) napi_delete_async_work(env, call->work);
  std::free(call->block);
  std::free(call->scratch);
  call->environment->release();
  delete call;
}

/** On a thread of libuv. */
void run_call(napi_env, void* data) {
  Call& call = *static_cast<Call*>(data);
  Environment& environment = *call.environment;
  if (call.stage.load(std::memory_order_acquire) == Stage::queued) {
    const uintptr_t scratch = (reinterpret_cast<uintptr_t>(call.scratch) + line - 1) / line * line;
    Control control(call.header, call.block, reinterpret_cast<double*>(scratch));
    control.stop = &call.stop;
    Operands operands = {};
    for (size_t i = 0; i < call.operation->count; i++) {
      const Array& array = call.arrays[i];
      operands.*call.operation->operands[i].member = array.data;
      if (call.operation->operands[i].is_output && array.element != Element::absent) {
        ask_for_huge_pages(array.data, call.header.elements() * bytes_of(array.element));
      }
    }
    const DefaultFloatMode mode;
    (call.table->*call.operation->kernel)(control, operands);
    call.block[slot::threads_used] = static_cast<double>(control.threads_used);
  }
  call.stage.store(Stage::done, std::memory_order_release);
  // Its last look at anything: the end of the environment may wait for it.
  environment.running--;
  environment.running.notify_all();
}

/** Copies the results to the control block that was given. It may be gone, as any array of JavaScript. */
bool give_results(napi_env env, const Call& call) {
  napi_value control;
  Array array;
  if (napi_get_reference_value(env, call.held[0], &control) != napi_ok || control == nullptr ||
      read_array(env, control, &array) != napi_ok || array.length < call.header.control_length()) {
    return false;
  }
  std::memcpy(array.data, call.block, call.header.control_length() * sizeof(double));
  return true;
}

void settle(napi_env env, napi_deferred deferred, const char* fault) {
  napi_value value, message;
  if (fault == nullptr) {
    if (napi_get_undefined(env, &value) == napi_ok) napi_resolve_deferred(env, deferred, value);
  } else if (napi_create_string_utf8(env, fault, NAPI_AUTO_LENGTH, &message) == napi_ok &&
             napi_create_error(env, nullptr, message, &value) == napi_ok) {
    napi_reject_deferred(env, deferred, value);
  }
}

/** On the JavaScript thread again, where nothing may run any more if the environment ends. */
void end_call(napi_env env, napi_status, void* data) {
  Call* call = static_cast<Call*>(data);
  const bool has_run = call->stage.load(std::memory_order_acquire) == Stage::done;
  if (!has_run) call->environment->running--;
  napi_handle_scope scope;
  const bool has_scope = napi_open_handle_scope(env, &scope) == napi_ok;
  if (has_scope) {
    const char* fault = !has_run                    ? "the call was cancelled"
                        : !give_results(env, *call) ? "control was detached or made shorter during the call"
                                                    : nullptr;
    settle(env, call->deferred, fault);
  }
  destroy(env, call);
  if (has_scope) napi_close_handle_scope(env, scope);
}

/** The word to stop by, which may be absent. */
bool read_stop(napi_env env, napi_value value, Call* call) {
  napi_valuetype kind;
  if (napi_typeof(env, value, &kind) != napi_ok) return false;
  if (kind == napi_undefined || kind == napi_null) return true;
  napi_typedarray_type type;
  size_t length;
  void* data;
  napi_value buffer;
  bool shared = false;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array || length < 1 || !is_shared(env, value, &buffer, &shared) || !shared) {
    refuse_type(env, "stop must be an Int32Array in a SharedArrayBuffer");
    return false;
  }
  call->stop.word = static_cast<const int32_t*>(data);
  return napi_create_reference(env, buffer, 1, &call->held[1]) == napi_ok;
}

/** Reads the operands, of which some may be outputs. */
bool read_operands(napi_env env, const napi_value* values, size_t count, Call* call) {
  for (size_t i = 0; i < count; i++) {
    if (Output* output = output_of(env, *call->environment, values[i])) {
      call->arrays[i] = output->array;
      call->outputs[i] = output;
      output->calls++;
    } else if (read_array(env, values[i], &call->arrays[i]) != napi_ok) {
      return false;
    }
  }
  return true;
}

/** Holds the buffers of the operands, or refuses them. They have been checked. */
bool hold_operands(napi_env env, const napi_value* values, Call* call) {
  for (size_t i = 0; i < call->operation->count; i++) {
    if (call->outputs[i] != nullptr || call->arrays[i].element == Element::absent) continue;
    napi_value buffer;
    bool shared;
    if (!is_shared(env, values[i], &buffer, &shared)) return false;
    if (!shared) {
      Failure failure;
      fail(&failure, type_error,
           "%s must be in a SharedArrayBuffer: other memory can go away during the call",
           call->operation->operands[i].name);
      refuse(env, failure);
      return false;
    }
    if (napi_create_reference(env, buffer, 1, &call->held[2 + i]) != napi_ok) return false;
  }
  return true;
}

/** Copies the control block and checks the copy, which nobody can change. */
bool take_control(napi_env env, const Array& given, Call* call) {
  Failure failure;
  if (!check(*call->operation, given, call->arrays, &call->header, &failure)) {
    refuse(env, failure);
    return false;
  }
  Array own = given;
  own.length = call->header.control_length();
  own.data = call->block = static_cast<double*>(std::malloc(own.length * sizeof(double)));
  // Zeros: of a call that ends early, sums of nothing are read.
  call->scratch = std::calloc(call->header.scratch_length() * sizeof(double) + line, 1);
  if (call->block == nullptr || call->scratch == nullptr) {
    refuse_scratch(env);
    return false;
  }
  std::memcpy(call->block, given.data, own.length * sizeof(double));
  const size_t scratch_length = call->header.scratch_length();
  if (!check(*call->operation, own, call->arrays, &call->header, &failure)) {
    refuse(env, failure);
    return false;
  }
  // Another thread has changed a shared block in between.
  if (call->header.control_length() != own.length || call->header.scratch_length() != scratch_length) {
    refuse_type(env, "control was changed by another thread");
    return false;
  }
  return true;
}

/** Whether a call can be queued. If not, an exception is pending, or raise() throws one. */
bool prepare(napi_env env, const EntryPoint& entry, const napi_value* values, size_t count, Call* call) {
  Array control;
  if (!read_stop(env, values[1], call) || read_array(env, values[0], &control) != napi_ok ||
      !read_operands(env, values + 2, count - 2, call) || !take_control(env, control, call) ||
      !hold_operands(env, values + 2, call) ||
      napi_create_reference(env, values[0], 1, &call->held[0]) != napi_ok) {
    return false;
  }
  call->table = table_of(entry.kernels(), call->header.storage, call->arrays[0].element);
  if (call->table == nullptr) refuse_type(env, no_16_bit);
  return call->table != nullptr;
}

/** Hands a call to libuv. */
bool queue(napi_env env, Call* call, napi_value* promise) {
  napi_value name;
  if (napi_create_string_utf8(env, "batchnorm", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, nullptr, name, run_call, end_call, call, &call->work) != napi_ok ||
      napi_create_promise(env, &call->deferred, promise) != napi_ok) {
    return false;
  }
  call->environment->running++;
  call->stage.store(Stage::queued, std::memory_order_release);
  if (napi_queue_async_work(env, call->work) == napi_ok) return true;
  call->environment->running--;
  settle(env, call->deferred, nullptr);
  return false;
}

}  // namespace

bool prepare_calls(napi_env env) {
  Environment* environment = new (std::nothrow) Environment;
  if (environment == nullptr) return false;
  if (napi_set_instance_data(env, environment, delete_environment, nullptr) != napi_ok) {
    delete environment;
    return false;
  }
  return napi_add_env_cleanup_hook(env, end_calls, environment) == napi_ok;
}

Environment* environment_of(napi_env env) {
  void* data = nullptr;
  if (napi_get_instance_data(env, &data) != napi_ok || data == nullptr) raise(env);
  return static_cast<Environment*>(data);
}

napi_value start_call(napi_env env, napi_callback_info info) {
  size_t count = most_values;
  napi_value values[most_values], promise;
  void* id;
  if (napi_get_cb_info(env, info, &count, values, nullptr, &id) != napi_ok) return raise(env);
  const EntryPoint entry = EntryPoint::of(id);
  if (count > 2 + entry.called().count) return refuse_type(env, "too many arguments");
  Environment* environment = environment_of(env);
  if (environment == nullptr) return nullptr;
  Call* call = new (std::nothrow) Call;
  if (call == nullptr) return raise(env);
  call->environment = environment;
  call->operation = &entry.called();
  call->stop.ends = &environment->ends;
  environment->holds++;
  // Absent arguments are undefined up to the length of `values`.
  if (prepare(env, entry, values, count < 2 ? 2 : count, call) && queue(env, call, &promise)) return promise;
  destroy(env, call);
  return raise(env);
}

napi_value is_lasting(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value array, buffer, result;
  if (napi_get_cb_info(env, info, &count, &array, nullptr, nullptr) != napi_ok) return raise(env);
  bool is_array = false, shared = false;
  if (napi_is_typedarray(env, array, &is_array) != napi_ok) return raise(env);
  if (is_array && !is_shared(env, array, &buffer, &shared)) return raise(env);
  return napi_get_boolean(env, shared, &result) == napi_ok ? result : raise(env);
}

}  // namespace bn
