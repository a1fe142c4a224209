#include "process.h"

#include <atomic>

#include "exchange.h"

namespace bn::mpi {
namespace {

std::atomic<napi_env> owner{nullptr};

/** MPI was started here, so that it must be ended here. */
bool is_ours = false;
/** MPI_Finalize would wait for a rank that failed. */
bool is_abandoned = false;

}  // namespace

bool claim(napi_env env) {
  napi_env nobody = nullptr;
  return owner.compare_exchange_strong(nobody, env) || nobody == env;
}

bool is_owner(napi_env env) { return owner.load() == env; }

bool is_ended() {
  int is_finalized = 0;
  MPI_Finalized(&is_finalized);
  return is_finalized != 0;
}

bool is_running() {
  int is_initialized = 0;
  MPI_Initialized(&is_initialized);
  return is_initialized != 0 && !is_ended();
}

int start_mpi() {
  if (is_running()) return MPI_SUCCESS;
  int provided = 0;
  const int error = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  if (error == MPI_SUCCESS) is_ours = true;
  return error;
}

void end_mpi() {
  if (is_ours && !is_abandoned && is_running()) MPI_Finalize();
}

void abandon_mpi() { is_abandoned = true; }

void disown(napi_env env) {
  // Another environment may get the same address. No environment has this one.
  if (is_owner(env)) owner.store(reinterpret_cast<napi_env>(&owner));
}

}  // namespace bn::mpi
