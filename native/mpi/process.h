// MPI in this process: it is started once, belongs to one thread, and is ended once.
#pragma once

#include <node_api.h>

namespace bn::mpi {

/** MPI belongs to the first thread that asks for it, for as long as the process lives. */
bool claim(napi_env env);
bool is_owner(napi_env env);

/** Started and not ended, here or by others. */
bool is_running();
/** It cannot be started again. */
bool is_ended();

/** Starts MPI where it is not running. MPI ends the process by itself where it cannot start. */
int start_mpi();

/** Ends MPI if it was started here, and was not abandoned. */
void end_mpi();

/** A rank failed: MPI is not ended when the process ends, so that its launcher ends the other ranks too. */
void abandon_mpi();

/** MPI belongs to nobody for good, if it was this environment's. */
void disown(napi_env env);

}  // namespace bn::mpi
