// Kernel calls on a thread of libuv, while JavaScript goes on. JavaScript can take memory away from an
// ArrayBuffer at any time: it detaches, transfers or resizes it, and Node-API cannot pin it. So a call keeps
// no pointer into one. Its operands are in SharedArrayBuffers, which nothing detaches and nothing shrinks, or
// they are outputs of outputs.h, which JavaScript has not seen. Both are held by references until the call
// has ended.
#pragma once

#include <node_api.h>

namespace bn {

/** Makes what the calls of an environment need. Its end waits for them. */
bool prepare_calls(napi_env env);

/**
 * later.kernel(control, stop, ...operands): a promise, which is fulfilled when the kernel has run and
 * `control` has its results. The control block is copied, and may be changed meanwhile. `stop` is null or an
 * Int32Array that is shared: once its first element is not 0 the kernel ends early, and what it has written
 * is of no use.
 */
napi_value start_call(napi_env env, napi_callback_info info);

/** isLasting(array): whether memory of its kind cannot go away, so that `later` takes it. */
napi_value is_lasting(napi_env env, napi_callback_info info);

}  // namespace bn
