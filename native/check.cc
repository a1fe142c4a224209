// The check behind every call from JavaScript. What the operands are stands in common/operands.h.
#include "check.h"

#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace bn {

namespace {

[[gnu::format(printf, 3, 4)]] bool fail(Failure* failure, bool is_type_error, const char* format, ...) {
  failure->is_type_error = is_type_error;
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(failure->message, sizeof(failure->message), format, arguments);
  va_end(arguments);
  return false;
}

constexpr bool type_error = true, range_error = false;

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
  size_t traversal, flags, storage;
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
      {slot::threads, &h->threads, SIZE_MAX, "threads"},
      {slot::grain, &h->grain, SIZE_MAX, "grain"},
      {slot::storage, &storage, size_t(Storage::bfloat), "storage"},
  };
  for (const auto& field : integers) {
    if (!to_size(block[field.slot], field.out) || *field.out > field.most) {
      return fail(failure, range_error, "control: \"%s\" is not a valid integer", field.name);
    }
  }
  h->traversal = static_cast<Traversal>(traversal);
  h->storage = static_cast<Storage>(storage);
  h->flags = static_cast<unsigned>(flags);
  h->eps = block[slot::eps];
  h->count = block[slot::count];
  h->slope = block[slot::slope];
  h->stream_from = block[slot::stream_from];
  if (h->count >= 0 && std::isfinite(h->count)) return true;
  return fail(failure, range_error, "control: \"count\" is negative or not finite");
}

/** The block is long enough for its own extent, which float64 and size_t can hold. */
bool check_control(const Array& control, Header* h, Failure* failure) {
  if (control.element != Element::float64) return fail(failure, type_error, "control must be a Float64Array");
  if (control.detached) return fail(failure, type_error, "control is detached");
  if (control.length < slot::header) return fail(failure, range_error, "control is shorter than its header");
  if (!read_header(static_cast<const double*>(control.data), h, failure)) return false;
  size_t sample, elements;
  if (!multiply(h->channels, h->inner, &sample) || !multiply(h->outer, sample, &elements)) {
    return fail(failure, range_error, "control: outer, channels and inner multiply past 2^53");
  }
  const size_t columns = h->columns();
  // Kernels size their own arrays by the traversal.
  const bool few = columns < lanes;
  if (h->traversal == Traversal::few_columns ? !few
                                             : h->traversal == Traversal::rows && few && elements > 0) {
    return fail(failure, range_error, "control: %zu columns are not traversed as %s", columns,
                few ? "rows" : "few columns");
  }
  // Both are small once they are known to be below the length: the required length cannot overflow.
  if (h->channels > control.length || columns > control.length || h->control_length() > control.length) {
    return fail(failure, range_error, "control holds %zu values, its extent needs more", control.length);
  }
  return true;
}

bool check_operand(const Operand& operand, const Array& array, const Header& h, Element element,
                   size_t elements, Failure* failure) {
  if (array.element == Element::absent && operand.is_optional) {
    const unsigned needed_with = operand.needed_with;
    if (needed_with == 0 || (h.flags & needed_with) != needed_with) return true;
    return fail(failure, type_error, "%s must hold the stored output", operand.name);
  }
  if (array.element == Element::absent || array.element == Element::other) {
    return fail(failure, type_error, "%s must be a Float32Array, Float64Array or Uint16Array", operand.name);
  }
  if (array.element != element)
    return fail(failure, type_error, "%s has another element type than x", operand.name);
  if (array.detached) return fail(failure, type_error, "%s is detached", operand.name);
  if (array.length < elements) {
    return fail(failure, range_error, "%s holds %zu elements, the extent has %zu", operand.name, array.length,
                elements);
  }
  return true;
}

size_t bytes_of(Element element) {
  return element == Element::bits16 ? 2 : element == Element::float32 ? sizeof(float) : sizeof(double);
}

/** The type of an operand beside an x of some type: weights are computed with. */
Element element_of(const Operand& operand, Element x) {
  return operand.is_weights && x == Element::bits16 ? Element::float32 : x;
}

/** Elements of an operand. Weights are no more than the elements, so that this cannot overflow. */
size_t extent_of(const Operand& operand, const Header& h) {
  const size_t elements = h.elements();
  return operand.is_weights && elements > 0 ? h.outer * h.inner : elements;
}

struct Bytes {
  uintptr_t begin, end;
  bool overlaps(const Bytes& other) const { return begin < other.end && other.begin < end; }
};

Bytes bytes_of(const Array& array, size_t bytes) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(array.data);
  return {begin, array.element == Element::absent ? begin : begin + bytes};
}

}  // namespace

bool check(const Operation& operation, const Array& control, const Array* data, Header* header,
           Failure* failure) {
  if (!check_control(control, header, failure)) return false;
  const Element element = data[0].element;
  if ((element == Element::bits16) != (header->storage != Storage::own)) {
    return fail(failure, type_error, "x holds other elements than control's \"storage\" says");
  }
  const Bytes block = bytes_of(control, header->control_length() * sizeof(double));
  for (size_t i = 0; i < operation.count; i++) {
    const Operand& operand = operation.operands[i];
    const size_t extent = extent_of(operand, *header);
    if (!check_operand(operand, data[i], *header, element_of(operand, element), extent, failure))
      return false;
    const Bytes bytes = bytes_of(data[i], extent * bytes_of(data[i].element));
    if (bytes.overlaps(block)) return fail(failure, range_error, "%s overlaps control", operand.name);
    for (size_t j = 0; j < i; j++) {
      const Operand& other = operation.operands[j];
      const Bytes others = bytes_of(data[j], extent_of(other, *header) * bytes_of(data[j].element));
      // In place is an output that is exactly an input of its size; two outputs never share memory.
      const bool writes = operand.is_output || other.is_output,
                 in_place = operand.is_output != other.is_output && !operand.is_weights;
      if (writes && bytes.overlaps(others) && !(in_place && bytes.begin == others.begin)) {
        return fail(failure, range_error, "%s overlaps %s", operand.name, other.name);
      }
    }
  }
  return true;
}

}  // namespace bn
