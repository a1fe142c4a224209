#include "handles.h"

#include <algorithm>
#include <iterator>

#include "errors.h"
#include "process.h"

namespace bn::mpi {
namespace {

/** Plain pointers: MPI may still write to what is pending when the process ends, so that nothing frees it. */
Exchange* exchanges[1024];

/** The place of an exchange, or the first empty one for null; the end where there is none. */
Exchange** find(const Exchange* exchange) {
  return std::find(std::begin(exchanges), std::end(exchanges), exchange);
}

}  // namespace

bool has_free_handle() { return find(nullptr) != std::end(exchanges); }

uint32_t add_exchange(std::unique_ptr<Exchange> exchange) {
  Exchange** place = find(nullptr);
  *place = exchange.release();
  return static_cast<uint32_t>(place - exchanges);
}

Exchange* exchange_of(napi_env env, napi_value value) {
  uint32_t handle = 0;
  if (!is_owner(env) || !is_running()) {
    refuse(env, "batchnorm/mpi: MPI was ended, or is used by another thread");
    return nullptr;
  }
  if (napi_get_value_uint32(env, value, &handle) != napi_ok || handle >= std::size(exchanges) ||
      exchanges[handle] == nullptr) {
    refuse(env, "batchnorm/mpi: not a handle of a group");
    return nullptr;
  }
  return exchanges[handle];
}

std::unique_ptr<Exchange> remove_exchange(Exchange* exchange) {
  *find(exchange) = nullptr;
  return std::unique_ptr<Exchange>(exchange);
}

bool is_any_pending() {
  return std::any_of(std::begin(exchanges), std::end(exchanges),
                     [](const Exchange* one) { return one != nullptr && one->is_pending(); });
}

}  // namespace bn::mpi
