// The memory of the self-check: one piece for all arrays of a case, and outputs between guards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../control.h"

namespace bn::check {

/** Elements around an output that must keep their bits. */
constexpr size_t guard = 16;

/** An output that begins `lead` elements behind the beginning of a line, between guards. */
template <class S>
struct Output {
  S* memory;
  size_t size, lead;

  static size_t room(size_t size) { return size + 3 * guard; }
  S* data() const { return memory + guard + lead; }

  /** Bits that no result has: an element that is not written shows, and so does a guard that is. */
  S* blank(size_t next_lead) {
    std::memset(static_cast<void*>(memory), 0xff, room(size) * sizeof(S));
    lead = next_lead;
    return data();
  }

  bool is_guarded() const {
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(memory);
    const size_t begin = (guard + lead) * sizeof(S), end = begin + size * sizeof(S);
    bool kept = true;
    for (size_t i = 0; i < begin; i++) kept &= bytes[i] == 0xff;
    for (size_t i = end; i < room(size) * sizeof(S); i++) kept &= bytes[i] == 0xff;
    return kept;
  }
};

/** Memory that is handed out piece by piece, each at the beginning of a line. */
class Memory {
 public:
  explicit Memory(void* begin) : next_(reinterpret_cast<uintptr_t>(begin)) {}

  template <class Value>
  Value* take(size_t count) {
    next_ = divide_up(next_, line) * line;
    Value* const array = reinterpret_cast<Value*>(next_);
    next_ += count * sizeof(Value);
    return array;
  }

  /** The bytes that were taken, where it begins at null: then none is used, and their number is all that
   * counts. */
  size_t taken() const { return next_; }

  static constexpr size_t line = 64;

 private:
  uintptr_t next_;
};

}  // namespace bn::check
