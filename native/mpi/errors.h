// What JavaScript is told where a call fails. Each throws, and returns what the call then returns.
#pragma once

#include <node_api.h>

namespace bn::mpi {

/** A Node-API call failed: its own exception is pending, or this one is thrown. */
napi_value fail(napi_env env);

/** What was given is refused: a TypeError. */
napi_value refuse(napi_env env, const char* message);

/** MPI gave an error, in its own words, or there is `no_memory`. */
napi_value fail_of_mpi(napi_env env, int error);

}  // namespace bn::mpi
