// The check of the control block: its header becomes numbers of their kind, and its length holds its extent.
#include <cmath>

#include "check.h"

namespace bn {
namespace {

/** A non-negative integer up to 2^53, where float64 still holds every integer. */
bool to_size(double value, size_t* size) {
  if (!(value >= 0 && value <= 0x1p53) || value != std::floor(value)) return false;
  *size = static_cast<size_t>(value);
  return true;
}

bool multiply(size_t a, size_t b, size_t* product) {
  constexpr size_t most = size_t(1) << 53;
  if (b != 0 && a > most / b) return false;
  *product = a * b;
  return true;
}

/** The header's slots as numbers of their kind. */
bool read_header(const volatile double* block, Header* h, Failure* failure) {
  size_t traversal, flags, kind, storage;
  const struct {
    size_t slot;
    size_t* out;
    size_t most;
    const char* name;
  } integers[] = {
      {slot::outer, &h->outer, SIZE_MAX, "outer"},
      {slot::channels, &h->channels, SIZE_MAX, "channels"},
      {slot::inner, &h->inner, SIZE_MAX, "inner"},
      {slot::traversal, &traversal, size_t(Traversal::few_columns), "traversal"},
      {slot::flags, &flags, flag::all, "flags"},
      {slot::kind, &kind, size_t(Kind::slope_gradient), "kind"},
      {slot::threads, &h->threads, SIZE_MAX, "threads"},
      {slot::grain, &h->grain, SIZE_MAX, "grain"},
      {slot::storage, &storage, size_t(Storage::bfloat16), "storage"},
  };
  for (const auto& field : integers) {
    if (!to_size(block[field.slot], field.out) || *field.out > field.most) {
      return fail(failure, range_error, "control: \"%s\" is not a valid integer", field.name);
    }
  }
  h->traversal = static_cast<Traversal>(traversal);
  h->storage = static_cast<Storage>(storage);
  h->flags = static_cast<unsigned>(flags);
  h->kind = static_cast<Kind>(kind);
  h->eps = block[slot::eps];
  h->count = block[slot::count];
  h->slope = block[slot::slope];
  h->low = block[slot::low];
  h->high = block[slot::high];
  h->stream_from = block[slot::stream_from];
  if (h->count >= 0 && std::isfinite(h->count)) return true;
  return fail(failure, range_error, "control: \"count\" is negative or not finite");
}

}  // namespace

bool check_control(const Array& control, Header* h, Failure* failure) {
  if (control.element != Element::float64) return fail(failure, type_error, "control must be a Float64Array");
  if (control.detached) return fail(failure, type_error, "control is detached");
  if (control.length < slot::header) return fail(failure, range_error, "control is shorter than its header");
  if (!read_header(static_cast<const double*>(control.data), h, failure)) return false;
  size_t sample, elements;
  if (!multiply(h->channels, h->inner, &sample) || !multiply(h->outer, sample, &elements)) {
    return fail(failure, range_error, "control: outer, channels and inner multiply past 2^53");
  }
  // Kernels size their own arrays by the traversal.
  const Traversal traversal = traversal_of(h->channels, h->inner);
  if (h->traversal != traversal) {
    return fail(failure, range_error, "control: %zu channels of %zu values are not traversed like this",
                h->channels, h->inner);
  }
  // Channels are few once they are known to be below the length: the required length cannot overflow.
  if (h->channels > control.length || h->control_length() > control.length) {
    return fail(failure, range_error, "control holds %zu values, its extent needs more", control.length);
  }
  return true;
}

}  // namespace bn
