// The functions of the addon, each with its arguments. src/mpi/ has their policy.
#pragma once

#include <node_api.h>

namespace bn::mpi {

// groups.cc

/** open(): a handle for all ranks. The first one starts MPI, which ends the process by itself where it
 * cannot. */
napi_value open(napi_env env, napi_callback_info info);
/** split(handle, ranks): a handle for some ranks, an Int32Array. This rank is among them, and they are all
 * there. */
napi_value split(napi_env env, napi_callback_info info);
/** ranks(handle): this rank, and how many there are. */
napi_value ranks(napi_env env, napi_callback_info info);
/** close(handle): the handle is of nothing then. What is pending keeps its memory, which MPI may still write.
 */
napi_value close(napi_env env, napi_callback_info info);

// gathers.cc

/** start(handle, values): starts to gather a Float64Array, of which it takes a copy. Returns the number of
 * the call. */
napi_value start(napi_env env, napi_callback_info info);
/** wait(handle, milliseconds): 0 is pending, 1 done, 2 arrays of different lengths, 3 a rank that gave up. */
napi_value wait(napi_env env, napi_callback_info info);
/** result(handle): the arrays of all ranks, in a new Float64Array. */
napi_value result(napi_env env, napi_callback_info info);
/** lengths(handle): how long the arrays of all ranks are, where they differ. */
napi_value lengths(napi_env env, napi_callback_info info);

// notices.cc

/** tell(handle, kind, value, text): sends a notice to all other ranks. */
napi_value tell(napi_env env, napi_callback_info info);
/** heard(handle, kind): the newest value of each rank, 0 of those that were not heard. */
napi_value heard(napi_env env, napi_callback_info info);
/** givenUp(handle): the rank that gave up, or −1. */
napi_value given_up(napi_env env, napi_callback_info info);
/** givenUpText(handle): why it gave up. */
napi_value given_up_text(napi_env env, napi_callback_info info);

}  // namespace bn::mpi
