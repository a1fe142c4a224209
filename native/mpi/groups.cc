// Groups: all ranks or some of them, of which each is one.
#include <new>
#include <utility>

#include "arguments.h"
#include "calls.h"
#include "errors.h"
#include "handles.h"
#include "process.h"

namespace bn::mpi {
namespace {

napi_value refuse_another(napi_env env) { return refuse(env, "batchnorm/mpi: too many groups"); }

/** A handle for an exchange that opened without an error. */
napi_value add(napi_env env, std::unique_ptr<Exchange> exchange, int error) {
  if (error != MPI_SUCCESS) return fail_of_mpi(env, error);
  return number(env, add_exchange(std::move(exchange)));
}

/** Where this rank is among some ranks of a group, each of which is there once; −1 with an exception. */
int place_among(napi_env env, const Exchange& group, const Array<int32_t>& ranks) {
  int own = -1;
  for (size_t i = 0; i < ranks.length; i++) {
    const int32_t rank = ranks.data[i];
    if (rank < 0 || rank >= group.size) {
      refuse(env, "batchnorm/mpi: a rank is not in the group");
      return -1;
    }
    for (size_t j = 0; j < i; j++) {
      if (ranks.data[j] != rank) continue;
      refuse(env, "batchnorm/mpi: a rank is there twice");
      return -1;
    }
    if (rank == group.rank) own = static_cast<int>(i);
  }
  if (own < 0) refuse(env, "batchnorm/mpi: this rank is not among the ranks");
  return own;
}

}  // namespace

napi_value open(napi_env env, napi_callback_info) {
  if (!claim(env)) return refuse(env, "batchnorm/mpi: MPI is used by another thread of this process");
  if (!has_free_handle()) return refuse_another(env);
  if (is_ended()) return refuse(env, "batchnorm/mpi: MPI was ended, and cannot be started again");
  int rank = 0;
  int size = 0;
  int error = start_mpi();
  if (error == MPI_SUCCESS) error = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  if (error == MPI_SUCCESS) error = MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (error == MPI_SUCCESS) error = MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (error != MPI_SUCCESS) return fail_of_mpi(env, error);
  std::unique_ptr<Exchange> exchange(new (std::nothrow) Exchange(rank, size));
  if (!exchange) return fail_of_mpi(env, no_memory);
  error = exchange->open(MPI_COMM_WORLD);
  return add(env, std::move(exchange), error);
}

napi_value split(napi_env env, napi_callback_info info) {
  Arguments arguments;
  const Exchange* parent = arguments.read_idle(env, info, 2);
  if (parent == nullptr) return nullptr;
  Array<int32_t> ranks;
  if (!read_array(env, arguments.values[1], &ranks) || ranks.length == 0 ||
      ranks.length > static_cast<size_t>(parent->size)) {
    return refuse(env, "batchnorm/mpi: ranks must be an Int32Array");
  }
  if (!has_free_handle()) return refuse_another(env);
  const int own = place_among(env, *parent, ranks);
  if (own < 0) return nullptr;
  const int count = static_cast<int>(ranks.length);
  std::unique_ptr<Exchange> exchange(new (std::nothrow) Exchange(own, count));
  if (!exchange) return fail_of_mpi(env, no_memory);
  const int error = exchange->open(*parent, ranks.data, count);
  return add(env, std::move(exchange), error);
}

napi_value ranks(napi_env env, napi_callback_info info) {
  Arguments arguments;
  const Exchange* exchange = arguments.read(env, info, 1);
  double* data = nullptr;
  napi_value result = exchange == nullptr ? nullptr : doubles(env, 2, &data);
  if (result == nullptr) return nullptr;
  data[0] = exchange->rank;
  data[1] = exchange->size;
  return result;
}

napi_value close(napi_env env, napi_callback_info info) {
  Arguments arguments;
  Exchange* exchange = arguments.read_idle(env, info, 1);
  if (exchange == nullptr) return nullptr;
  const int error = remove_exchange(exchange)->close();
  return error == MPI_SUCCESS ? nullptr : fail_of_mpi(env, error);
}

}  // namespace bn::mpi
