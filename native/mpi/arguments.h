// What JavaScript gave, checked before anything is done with it, and what it gets. What is refused has thrown
// an exception.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>

#include "exchange.h"

namespace bn::mpi {

/** The arguments of a call. The first one is the handle of a group. */
struct Arguments {
  napi_value values[4];
  /** Reads them, of which `needed` must be there. Returns the group's exchange, or null. */
  Exchange* read(napi_env env, napi_callback_info info, size_t needed);
  /** As `read`, for a call that begins something: the group must be ready, and nothing may be pending. */
  Exchange* read_idle(napi_env env, napi_callback_info info, size_t needed);
  /** As `read`, for notices: a group cannot send or hear them while it opens. */
  Exchange* read_opened(napi_env env, napi_callback_info info, size_t needed);
};

/** Where the values of a typed array lie. JavaScript may detach it as soon as the call has returned. */
template <typename T>
struct Array {
  const T* data;
  size_t length;
};

/** False where it is no array of this type, for which the caller has the words. Nothing is thrown. */
bool read_array(napi_env env, napi_value value, Array<int32_t>* array);
bool read_array(napi_env env, napi_value value, Array<double>* array);
bool read_kind(napi_env env, napi_value value, Kind* kind);

napi_value number(napi_env env, double value);
napi_value text(napi_env env, const char* characters);
/** A new Float64Array, and where its values lie. */
napi_value doubles(napi_env env, size_t length, double** data);

}  // namespace bn::mpi
