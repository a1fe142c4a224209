// The addon of batchnorm/mpi. Each call unwraps its arguments, checks them, and calls an exchange. src/mpi/
// has the policy. It is no part of the package's binaries: `npx batchnorm build-mpi` compiles it against the
// system's MPI.
#include "arguments.h"
#include "calls.h"
#include "errors.h"
#include "handles.h"
#include "process.h"

#if defined(OMPI_MAJOR_VERSION)
#define TEXT(x) #x
#define DOTTED(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)
#define BUILT_FOR "Open MPI " DOTTED(OMPI_MAJOR_VERSION, OMPI_MINOR_VERSION, OMPI_RELEASE_VERSION)
#elif defined(MPICH_VERSION)
#define BUILT_FOR "MPICH " MPICH_VERSION
#else
#define BUILT_FOR "an MPI that is neither Open MPI nor MPICH"
#endif

namespace bn::mpi {
namespace {

/** library(): the MPI that runs, in its own words. */
napi_value library(napi_env env, napi_callback_info) {
  char version[MPI_MAX_LIBRARY_VERSION_STRING + 1] = "";
  int length = 0;
  const int error = MPI_Get_library_version(version, &length);
  return error == MPI_SUCCESS ? text(env, version) : fail_of_mpi(env, error);
}

/** Where something is pending, MPI would wait for ranks that do not come. */
void end(napi_env env) {
  if (is_owner(env) && !is_any_pending()) end_mpi();
}

/** finalize(): ends MPI, unless it would wait for ranks that do not come. */
napi_value finalize(napi_env env, napi_callback_info) {
  end(env);
  return nullptr;
}

/** abandon(): a rank failed, so that MPI is not ended when the process ends. */
napi_value abandon(napi_env env, napi_callback_info) {
  if (is_owner(env)) abandon_mpi();
  return nullptr;
}

/** Node runs it when a worker thread ends, and not where a program calls process.exit(). */
void clean_up(void* data) {
  napi_env env = static_cast<napi_env>(data);
  end(env);
  disown(env);
}

struct Function {
  const char* name;
  napi_callback call;
};

constexpr Function functions[] = {
    {"open", open},       {"split", split},      {"ranks", ranks},       {"start", start},
    {"wait", wait},       {"result", result},    {"lengths", lengths},   {"tell", tell},
    {"heard", heard},     {"givenUp", given_up}, {"close", close},       {"givenUpText", given_up_text},
    {"library", library}, {"abandon", abandon},  {"finalize", finalize},
};

/** The exports of the module. */
napi_value export_all(napi_env env, napi_value exports) {
  for (const Function& one : functions) {
    napi_value function;
    if (napi_create_function(env, one.name, NAPI_AUTO_LENGTH, one.call, nullptr, &function) != napi_ok ||
        napi_set_named_property(env, exports, one.name, function) != napi_ok) {
      return fail(env);
    }
  }
  napi_value built_for = text(env, BUILT_FOR);
  if (built_for == nullptr || napi_set_named_property(env, exports, "builtFor", built_for) != napi_ok) {
    return fail(env);
  }
  napi_add_env_cleanup_hook(env, clean_up, env);
  return exports;
}

}  // namespace
}  // namespace bn::mpi

NAPI_MODULE_INIT() { return bn::mpi::export_all(env, exports); }
