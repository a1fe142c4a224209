// Gathers: one at a time in each group, started by one call and awaited by others.
#include <climits>

#include "arguments.h"
#include "calls.h"
#include "errors.h"

namespace bn::mpi {

napi_value start(napi_env env, napi_callback_info info) {
  Arguments arguments;
  Exchange* exchange = arguments.read_idle(env, info, 2);
  if (exchange == nullptr) return nullptr;
  Array<double> values;
  if (!read_array(env, arguments.values[1], &values)) {
    return refuse(env, "batchnorm/mpi: values must be a Float64Array");
  }
  // Counts are of type int in MPI.
  if (values.length > INT_MAX) return refuse(env, "batchnorm/mpi: the array is too long for MPI");
  const int error = exchange->start(values.data, values.length);
  return error == MPI_SUCCESS ? number(env, exchange->call()) : fail_of_mpi(env, error);
}

napi_value wait(napi_env env, napi_callback_info info) {
  Arguments arguments;
  Exchange* exchange = arguments.read(env, info, 2);
  double milliseconds = 0;
  if (exchange == nullptr) return nullptr;
  if (napi_get_value_double(env, arguments.values[1], &milliseconds) != napi_ok) {
    return refuse(env, "batchnorm/mpi: milliseconds must be a number");
  }
  const int error = exchange->wait(milliseconds >= 0 ? milliseconds / 1000 : 0);
  if (error != MPI_SUCCESS) return fail_of_mpi(env, error);
  if (!exchange->is_pending()) return number(env, exchange->state() == State::mismatch ? 2 : 1);
  return number(env, exchange->is_given_up() ? 3 : 0);
}

napi_value result(napi_env env, napi_callback_info info) {
  Arguments arguments;
  const Exchange* exchange = arguments.read(env, info, 1);
  if (exchange == nullptr) return nullptr;
  if (exchange->state() != State::done) return refuse(env, "batchnorm/mpi: nothing was gathered");
  double* data = nullptr;
  napi_value array = doubles(env, exchange->result_length(), &data);
  if (array != nullptr) exchange->copy_result(data);
  return array;
}

napi_value lengths(napi_env env, napi_callback_info info) {
  Arguments arguments;
  const Exchange* exchange = arguments.read(env, info, 1);
  double* data = nullptr;
  napi_value array = exchange == nullptr ? nullptr : doubles(env, static_cast<size_t>(exchange->size), &data);
  if (array == nullptr) return nullptr;
  for (int other = 0; other < exchange->size; other++) data[other] = exchange->length_of(other);
  return array;
}

}  // namespace bn::mpi
