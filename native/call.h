// What the entry points share: the arguments of a kernel call are read here, and refused.
#pragma once

#include <node_api.h>

#include "check.h"
#include "kernels.h"

namespace bn {

/** An N-API call failed: its own exception is pending, or this one is thrown. */
napi_value raise(napi_env env);

/** Throws what a check has found. */
napi_value refuse(napi_env env, const Failure& failure);
napi_value refuse_type(napi_env env, const char* message);

constexpr char no_16_bit[] = "this instruction set has no kernels for 16-bit elements";

/** There is no memory for what kernels leave between their steps. */
napi_value refuse_scratch(napi_env env);

/** One call instead of Napi::TypedArray's several: a kernel call on a small tensor takes about a microsecond.
 */
napi_status read_array(napi_env env, napi_value value, Array* array);

/** The kernels for elements as a header says they are stored; null where the instruction set has none. */
const KernelTable* table_of(const Kernels& kernels, Storage storage, Element element);

/** Instruction set and operation of a function, as the number that N-API hands back. */
struct EntryPoint {
  size_t set, operation;

  void* id() const { return reinterpret_cast<void*>(set * operation_count + operation); }
  static EntryPoint of(void* id) {
    const size_t index = reinterpret_cast<size_t>(id);
    return {index / operation_count, index % operation_count};
  }
  const Operation& called() const { return operations[operation]; }
  const Kernels& kernels() const { return *instruction_sets[set].kernels; }
};

}  // namespace bn
