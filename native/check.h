// The one check that keeps a call from JavaScript inside its arrays.
#pragma once

#include "common/operands.h"
#include "control.h"

namespace bn {

enum class Element : uint8_t { absent, float32, float64, bits16, other };

inline size_t bytes_of(Element element) {
  return element == Element::bits16 ? 2 : element == Element::float32 ? sizeof(float) : sizeof(double);
}

/** What JavaScript passed for an argument. */
struct Array {
  Element element = Element::absent;
  void* data = nullptr;
  size_t length = 0;
  bool detached = false;
};

struct Failure {
  bool is_type_error;
  char message[160];
};

constexpr bool type_error = true, range_error = false;

/** Leaves the message; returns false. */
[[gnu::format(printf, 3, 4)]] bool fail(Failure* failure, bool is_type_error, const char* format, ...);

/** The block is long enough for its own extent, which float64 and size_t can hold. */
bool check_control(const Array& control, Header* header, Failure* failure);

/**
 * Memory safety alone; meaning is the plan's business. Reads the control block's header once into
 * `header`, and nothing that is read from the block afterwards is used as a size or an index.
 */
bool check(const Operation& operation, const Array& control, const Array* data, Header* header,
           Failure* failure);

}  // namespace bn
