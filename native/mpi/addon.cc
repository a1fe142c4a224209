// The addon of batchnorm/mpi: unwraps the arguments, checks them, and calls an exchange. src/mpi/ has its
// policy. It is no part of the package's binaries: `npx batchnorm build-mpi` compiles it against the system's
// MPI.
#include <node_api.h>

#include <atomic>
#include <climits>
#include <new>
#include <utility>

#include "exchange.h"

#if defined(OMPI_MAJOR_VERSION)
#define TEXT(x) #x
#define DOTTED(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)
#define BUILT_FOR "Open MPI " DOTTED(OMPI_MAJOR_VERSION, OMPI_MINOR_VERSION, OMPI_RELEASE_VERSION)
#elif defined(MPICH_VERSION)
#define BUILT_FOR "MPICH " MPICH_VERSION
#else
#define BUILT_FOR "an MPI that is neither Open MPI nor MPICH"
#endif

namespace {

using bn::mpi::Exchange;
using bn::mpi::Kind;
using bn::mpi::Notice;
using bn::mpi::State;

/** MPI belongs to one thread of the process, the first that asks for it, for as long as the process lives. */
std::atomic<napi_env> owner{nullptr};

/** Exchanges by their handles. Communicators are scarce too: MPICH has 2048. */
constexpr uint32_t most_exchanges = 1024;
Exchange* exchanges[most_exchanges];

/** MPI was started here, so that it must be ended here. */
bool is_ours = false;
/** A rank failed: MPI_Finalize would wait for it. */
bool is_abandoned = false;

/** A Node-API call failed: its own exception is pending, or this one is thrown. */
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
  if (error == bn::mpi::no_memory) {
    napi_throw_range_error(env, "ERR_BATCHNORM_MEMORY", "there is no memory for the arrays of all ranks");
    return nullptr;
  }
  char text[MPI_MAX_ERROR_STRING + 1] = "";
  int length = 0;
  MPI_Error_string(error, text, &length);
  napi_throw_error(env, "ERR_BATCHNORM_GROUP", text);
  return nullptr;
}

bool is_running() {
  int is_initialized = 0;
  int is_finalized = 0;
  MPI_Initialized(&is_initialized);
  MPI_Finalized(&is_finalized);
  return is_initialized && !is_finalized;
}

/** The arguments of a call. `count` of them are needed. */
struct Arguments {
  napi_value values[4];
  bool read(napi_env env, napi_callback_info info, size_t needed) {
    size_t count = 4;
    if (napi_get_cb_info(env, info, &count, values, nullptr, nullptr) != napi_ok) {
      fail(env);
      return false;
    }
    if (count < needed) refuse(env, "batchnorm/mpi: too few arguments");
    return count >= needed;
  }
};

/** The exchange with a handle; null with an exception where it is none, or MPI is not this thread's. */
Exchange* exchange_of(napi_env env, napi_value value) {
  uint32_t handle = 0;
  if (owner.load() != env || !is_running()) {
    refuse(env, "batchnorm/mpi: MPI was ended, or is used by another thread");
    return nullptr;
  }
  if (napi_get_value_uint32(env, value, &handle) != napi_ok || handle >= most_exchanges ||
      exchanges[handle] == nullptr) {
    refuse(env, "batchnorm/mpi: not a handle of a group");
    return nullptr;
  }
  return exchanges[handle];
}

/** As `exchange_of`; it must be ready, and nothing may be pending. */
Exchange* idle_exchange_of(napi_env env, napi_value value) {
  Exchange* exchange = exchange_of(env, value);
  if (exchange != nullptr && exchange->is_pending()) {
    refuse(env, "batchnorm/mpi: a gather is pending");
    return nullptr;
  }
  return exchange;
}

napi_value number(napi_env env, double value) {
  napi_value result;
  return napi_create_double(env, value, &result) == napi_ok ? result : fail(env);
}

/** A new Float64Array, and where its values lie. */
napi_value doubles(napi_env env, size_t length, double** data) {
  napi_value buffer;
  napi_value result;
  void* memory = nullptr;
  if (napi_create_arraybuffer(env, length * sizeof(double), &memory, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_float64_array, length, buffer, 0, &result) != napi_ok) {
    return fail(env);
  }
  *data = static_cast<double*>(memory);
  return result;
}

/** The first handle of nothing, or `most_exchanges`. */
uint32_t free_handle() {
  uint32_t handle = 0;
  while (handle < most_exchanges && exchanges[handle] != nullptr) handle++;
  return handle;
}

/** A handle for an exchange that opened without an error. */
napi_value add(napi_env env, std::unique_ptr<Exchange> exchange, int error) {
  if (error != MPI_SUCCESS) return fail_of_mpi(env, error);
  const uint32_t handle = free_handle();
  exchanges[handle] = exchange.release();
  return number(env, handle);
}

bool claim(napi_env env) {
  napi_env nobody = nullptr;
  return owner.compare_exchange_strong(nobody, env) || nobody == env;
}

/** open(): a handle for all ranks. The first one starts MPI, which ends the process by itself where it
 * cannot. */
napi_value open(napi_env env, napi_callback_info) {
  if (!claim(env)) return refuse(env, "batchnorm/mpi: MPI is used by another thread of this process");
  if (free_handle() == most_exchanges) return refuse(env, "batchnorm/mpi: too many groups");
  int is_finalized = 0;
  MPI_Finalized(&is_finalized);
  if (is_finalized) return refuse(env, "batchnorm/mpi: MPI was ended, and cannot be started again");
  int error = MPI_SUCCESS;
  if (!is_running()) {
    int provided = 0;
    error = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
    if (error != MPI_SUCCESS) return fail_of_mpi(env, error);
    is_ours = true;
  }
  int rank = 0;
  int size = 0;
  error = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  if (error == MPI_SUCCESS) error = MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (error == MPI_SUCCESS) error = MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (error != MPI_SUCCESS) return fail_of_mpi(env, error);
  std::unique_ptr<Exchange> exchange(new (std::nothrow) Exchange(rank, size));
  if (!exchange) return fail_of_mpi(env, bn::mpi::no_memory);
  error = exchange->open(MPI_COMM_WORLD);
  return add(env, std::move(exchange), error);
}

/** split(handle, ranks): a handle for some ranks, an Int32Array. This rank is among them, and they are all
 * there. */
napi_value split(napi_env env, napi_callback_info info) {
  Arguments arguments;
  if (!arguments.read(env, info, 2)) return nullptr;
  Exchange* parent = idle_exchange_of(env, arguments.values[0]);
  if (parent == nullptr) return nullptr;
  napi_typedarray_type type = napi_uint8_array;
  size_t count = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, arguments.values[1], &type, &count, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array || count == 0 || count > static_cast<size_t>(parent->size)) {
    return refuse(env, "batchnorm/mpi: ranks must be an Int32Array");
  }
  if (free_handle() == most_exchanges) return refuse(env, "batchnorm/mpi: too many groups");
  const int* ranks = static_cast<const int*>(data);
  int own = -1;
  for (size_t i = 0; i < count; i++) {
    if (ranks[i] < 0 || ranks[i] >= parent->size)
      return refuse(env, "batchnorm/mpi: a rank is not in the group");
    for (size_t j = 0; j < i; j++) {
      if (ranks[j] == ranks[i]) return refuse(env, "batchnorm/mpi: a rank is there twice");
    }
    if (ranks[i] == parent->rank) own = static_cast<int>(i);
  }
  if (own < 0) return refuse(env, "batchnorm/mpi: this rank is not among the ranks");
  std::unique_ptr<Exchange> exchange(new (std::nothrow) Exchange(own, static_cast<int>(count)));
  if (!exchange) return fail_of_mpi(env, bn::mpi::no_memory);
  const int error = exchange->open(*parent, ranks, static_cast<int>(count));
  return add(env, std::move(exchange), error);
}

/** ranks(handle): this rank, and how many there are. */
napi_value ranks(napi_env env, napi_callback_info info) {
  Arguments arguments;
  if (!arguments.read(env, info, 1)) return nullptr;
  const Exchange* exchange = exchange_of(env, arguments.values[0]);
  double* data = nullptr;
  napi_value result = exchange == nullptr ? nullptr : doubles(env, 2, &data);
  if (result == nullptr) return nullptr;
  data[0] = exchange->rank;
  data[1] = exchange->size;
  return result;
}

/** start(handle, values): starts to gather a Float64Array, of which it takes a copy. Returns the number of
 * the call. */
napi_value start(napi_env env, napi_callback_info info) {
  Arguments arguments;
  if (!arguments.read(env, info, 2)) return nullptr;
  Exchange* exchange = idle_exchange_of(env, arguments.values[0]);
  if (exchange == nullptr) return nullptr;
  napi_typedarray_type type = napi_uint8_array;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, arguments.values[1], &type, &length, &data, nullptr, nullptr) !=
          napi_ok ||
      type != napi_float64_array) {
    return refuse(env, "batchnorm/mpi: values must be a Float64Array");
  }
  // Counts are of type int in MPI.
  if (length > INT_MAX) return refuse(env, "batchnorm/mpi: the array is too long for MPI");
  const int error = exchange->start(static_cast<const double*>(data), length);
  return error == MPI_SUCCESS ? number(env, exchange->call()) : fail_of_mpi(env, error);
}

/** wait(handle, milliseconds): 0 is pending, 1 done, 2 arrays of different lengths, 3 a rank that gave up. */
napi_value wait(napi_env env, napi_callback_info info) {
  Arguments arguments;
  if (!arguments.read(env, info, 2)) return nullptr;
  Exchange* exchange = exchange_of(env, arguments.values[0]);
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

/** result(handle): the arrays of all ranks, in a new Float64Array. */
napi_value result(napi_env env, napi_callback_info info) {
  Arguments arguments;
  if (!arguments.read(env, info, 1)) return nullptr;
  const Exchange* exchange = exchange_of(env, arguments.values[0]);
  if (exchange == nullptr) return nullptr;
  if (exchange->state() != State::done) return refuse(env, "batchnorm/mpi: nothing was gathered");
  double* data = nullptr;
  napi_value array = doubles(env, exchange->result_length(), &data);
  if (array != nullptr) exchange->copy_result(data);
  return array;
}

/** lengths(handle): how long the arrays of all ranks are, where they differ. */
napi_value lengths(napi_env env, napi_callback_info info) {
  Arguments arguments;
  if (!arguments.read(env, info, 1)) return nullptr;
  const Exchange* exchange = exchange_of(env, arguments.values[0]);
  double* data = nullptr;
  napi_value array = exchange == nullptr ? nullptr : doubles(env, static_cast<size_t>(exchange->size), &data);
  if (array == nullptr) return nullptr;
  for (int other = 0; other < exchange->size; other++) data[other] = exchange->length_of(other);
  return array;
}

bool read_kind(napi_env env, napi_value value, Kind* kind) {
  uint32_t index = 0;
  if (napi_get_value_uint32(env, value, &index) != napi_ok || index >= bn::mpi::kinds) {
    refuse(env, "batchnorm/mpi: no kind of notice");
    return false;
  }
  *kind = static_cast<Kind>(index);
  return true;
}

/** The exchange with a handle, if it can send and hear notices: it cannot while it opens. */
Exchange* opened_exchange_of(napi_env env, napi_value value) {
  Exchange* exchange = exchange_of(env, value);
  if (exchange == nullptr || exchange->state() != State::opening) return exchange;
  refuse(env, "batchnorm/mpi: the group is not open yet");
  return nullptr;
}

/** tell(handle, kind, value, text): sends a notice to all other ranks. */
napi_value tell(napi_env env, napi_callback_info info) {
  Arguments arguments;
  if (!arguments.read(env, info, 4)) return nullptr;
  Exchange* exchange = opened_exchange_of(env, arguments.values[0]);
  Notice notice = {};
  if (exchange == nullptr || !read_kind(env, arguments.values[1], &notice.kind)) return nullptr;
  if (napi_get_value_double(env, arguments.values[2], &notice.value) != napi_ok ||
      napi_get_value_string_utf8(env, arguments.values[3], notice.text, sizeof(notice.text), nullptr) !=
          napi_ok) {
    return refuse(env, "batchnorm/mpi: a notice has a number and a text");
  }
  const int error = exchange->tell(notice);
  return error == MPI_SUCCESS ? nullptr : fail_of_mpi(env, error);
}

/** heard(handle, kind): the newest value of each rank, 0 of those that were not heard. */
napi_value heard(napi_env env, napi_callback_info info) {
  Arguments arguments;
  if (!arguments.read(env, info, 2)) return nullptr;
  Exchange* exchange = opened_exchange_of(env, arguments.values[0]);
  Kind kind;
  if (exchange == nullptr || !read_kind(env, arguments.values[1], &kind)) return nullptr;
  if (const int error = exchange->read_notices()) return fail_of_mpi(env, error);
  double* data = nullptr;
  napi_value array = doubles(env, static_cast<size_t>(exchange->size), &data);
  if (array == nullptr) return nullptr;
  for (int other = 0; other < exchange->size; other++) data[other] = exchange->heard(kind, other);
  return array;
}

/** givenUp(handle): the rank that gave up, or −1. givenUpText(handle): why. */
napi_value given_up(napi_env env, napi_callback_info info) {
  Arguments arguments;
  if (!arguments.read(env, info, 1)) return nullptr;
  const Exchange* exchange = exchange_of(env, arguments.values[0]);
  return exchange == nullptr ? nullptr : number(env, exchange->given_up_rank());
}

napi_value text(napi_env env, const char* characters) {
  napi_value result;
  const napi_status status = napi_create_string_utf8(env, characters, NAPI_AUTO_LENGTH, &result);
  return status == napi_ok ? result : fail(env);
}

napi_value given_up_text(napi_env env, napi_callback_info info) {
  Arguments arguments;
  if (!arguments.read(env, info, 1)) return nullptr;
  const Exchange* exchange = exchange_of(env, arguments.values[0]);
  return exchange == nullptr ? nullptr : text(env, exchange->given_up_text());
}

/** close(handle): the handle is of nothing then. What is pending keeps its memory, which MPI may still write.
 */
napi_value close(napi_env env, napi_callback_info info) {
  Arguments arguments;
  if (!arguments.read(env, info, 1)) return nullptr;
  Exchange* exchange = exchange_of(env, arguments.values[0]);
  if (exchange == nullptr) return nullptr;
  uint32_t handle = 0;
  if (napi_get_value_uint32(env, arguments.values[0], &handle) != napi_ok) return fail(env);
  if (exchange->is_pending()) return refuse(env, "batchnorm/mpi: a gather is pending");
  exchanges[handle] = nullptr;
  const int error = exchange->close();
  delete exchange;
  return error == MPI_SUCCESS ? nullptr : fail_of_mpi(env, error);
}

/** library(): the MPI that runs, in its own words. */
napi_value library(napi_env env, napi_callback_info) {
  char version[MPI_MAX_LIBRARY_VERSION_STRING + 1] = "";
  int length = 0;
  const int error = MPI_Get_library_version(version, &length);
  return error == MPI_SUCCESS ? text(env, version) : fail_of_mpi(env, error);
}

/** Ends MPI, unless ranks would be waited for that do not come. */
void end(napi_env env) {
  if (owner.load() != env || !is_ours || is_abandoned || !is_running()) return;
  for (const Exchange* exchange : exchanges) {
    if (exchange != nullptr && exchange->is_pending()) return;
  }
  MPI_Finalize();
}

napi_value finalize(napi_env env, napi_callback_info) {
  end(env);
  return nullptr;
}

/** abandon(): MPI is not ended when the process ends, so that its launcher ends the other ranks too. */
napi_value abandon(napi_env env, napi_callback_info) {
  if (owner.load() == env) is_abandoned = true;
  return nullptr;
}

/** Node runs it when a worker thread ends, and not where a program calls process.exit(). */
void clean_up(void* data) {
  napi_env env = static_cast<napi_env>(data);
  end(env);
  // Another environment may get the same address. No environment has this one.
  if (owner.load() == env) owner.store(reinterpret_cast<napi_env>(&owner));
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

}  // namespace

NAPI_MODULE_INIT() {
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
