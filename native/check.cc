// The check behind every call from JavaScript. What the operands are stands in common/operands.h.
#include "check.h"

#include <cstdarg>
#include <cstdio>

namespace bn {

bool fail(Failure* failure, bool is_type_error, const char* format, ...) {
  failure->is_type_error = is_type_error;
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(failure->message, sizeof(failure->message), format, arguments);
  va_end(arguments);
  return false;
}

namespace {

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
