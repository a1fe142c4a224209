// Notices: what ranks tell each other beside the gathers, so that none waits for one that does not come.
#include "arguments.h"
#include "calls.h"
#include "errors.h"

namespace bn::mpi {

napi_value tell(napi_env env, napi_callback_info info) {
  Arguments arguments;
  Exchange* exchange = arguments.read_opened(env, info, 4);
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

napi_value heard(napi_env env, napi_callback_info info) {
  Arguments arguments;
  Exchange* exchange = arguments.read_opened(env, info, 2);
  Kind kind;
  if (exchange == nullptr || !read_kind(env, arguments.values[1], &kind)) return nullptr;
  if (const int error = exchange->read_notices()) return fail_of_mpi(env, error);
  double* data = nullptr;
  napi_value array = doubles(env, static_cast<size_t>(exchange->size), &data);
  if (array == nullptr) return nullptr;
  for (int other = 0; other < exchange->size; other++) data[other] = exchange->heard(kind, other);
  return array;
}

napi_value given_up(napi_env env, napi_callback_info info) {
  Arguments arguments;
  const Exchange* exchange = arguments.read(env, info, 1);
  return exchange == nullptr ? nullptr : number(env, exchange->given_up_rank());
}

napi_value given_up_text(napi_env env, napi_callback_info info) {
  Arguments arguments;
  const Exchange* exchange = arguments.read(env, info, 1);
  return exchange == nullptr ? nullptr : text(env, exchange->given_up_text());
}

}  // namespace bn::mpi
