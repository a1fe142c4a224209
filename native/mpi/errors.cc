#include "errors.h"

#include "exchange.h"

namespace bn::mpi {

napi_value fail(napi_env env) {
  bool is_pending = false;
  if (napi_is_exception_pending(env, &is_pending) == napi_ok && !is_pending) {
    napi_throw_error(env, nullptr, "batchnorm/mpi: a Node-API call failed");
  }
  return nullptr;
}

napi_value refuse(napi_env env, const char* message) {
  napi_throw_type_error(env, nullptr, message);
  return nullptr;
}

napi_value fail_of_mpi(napi_env env, int error) {
  if (error == no_memory) {
    napi_throw_range_error(env, "ERR_BATCHNORM_MEMORY", "there is no memory for the arrays of all ranks");
    return nullptr;
  }
  char text[MPI_MAX_ERROR_STRING + 1] = "";
  int length = 0;
  MPI_Error_string(error, text, &length);
  napi_throw_error(env, "ERR_BATCHNORM_GROUP", text);
  return nullptr;
}

}  // namespace bn::mpi
