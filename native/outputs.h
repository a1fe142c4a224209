// Outputs that JavaScript has a handle of, and no view. Until they are taken, their memory cannot go away.
#pragma once

#include <node_api.h>

#include <atomic>
#include <vector>

#include "check.h"

namespace bn {

/** One of them. All of it is the business of the JavaScript thread alone. */
struct Output {
  napi_ref buffer = nullptr;
  Array array;
  /** Calls that work on it. */
  size_t calls = 0;
  /** Whether its handle was collected. */
  bool is_dropped = false;
};

/** What an environment has of calls and outputs. Threads of calls look at the atomics alone. */
struct Environment {
  /** Calls that a thread works on, or will. */
  std::atomic<unsigned> running{0};
  std::atomic<bool> ends{false};
  /** Those that can be named. */
  std::vector<Output*> outputs;
  /** The environment itself, its calls and its outputs: the last one deletes it. */
  size_t holds = 1;

  void release() {
    if (--holds == 0) delete this;
  }
};

/** Null where there is none, and then an exception is pending. */
Environment* environment_of(napi_env env);

/** The output that a handle names, or null: it is none, or was taken. */
Output* output_of(napi_env env, Environment& environment, napi_value handle);

/** Ends the use of an output by a call. */
void leave_output(napi_env env, Environment& environment, Output* output);

/** makeOutput(kind, length): a handle. The kind is 0 for float32, 1 for float64, and 2 for 16-bit elements.
 */
napi_value make_output(napi_env env, napi_callback_info info);

/** takeOutput(handle): its ArrayBuffer, once no call works on it. The handle is of no use afterwards. */
napi_value take_output(napi_env env, napi_callback_info info);

}  // namespace bn
