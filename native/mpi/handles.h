// Groups by their handles, which are small numbers: JavaScript never has an address.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>

#include "exchange.h"

namespace bn::mpi {

/** Communicators are scarce: MPICH has 2048. */
bool has_free_handle();

/** A handle for an exchange. One must be free. */
uint32_t add_exchange(std::unique_ptr<Exchange> exchange);

/** The exchange with a handle; null with an exception where it is none, or MPI is not this thread's. */
Exchange* exchange_of(napi_env env, napi_value handle);

/** The handle of this exchange is of nothing then, and the exchange is the caller's. */
std::unique_ptr<Exchange> remove_exchange(Exchange* exchange);

/** Whether a gather of any group is pending, or its opening. */
bool is_any_pending();

}  // namespace bn::mpi
