// The hash of src/backends/self-check/run.ts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace bn::check {

/** A hash over 32 bits at a time, in 16 lanes: four vectors, which GCC and Clang have for every architecture.
 */
class Hash {
 public:
  template <class Value>
  void add(const Value* values, size_t count) {
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(values);
    const uint8_t* const end = bytes + count * sizeof(Value);
    Vector a = lanes_[0], b = lanes_[1], c = lanes_[2], d = lanes_[3];
    for (; bytes + 64 <= end; bytes += 64) {
      a = step(a, load(bytes));
      b = step(b, load(bytes + 16));
      c = step(c, load(bytes + 32));
      d = step(d, load(bytes + 48));
    }
    lanes_[0] = a;
    lanes_[1] = b;
    lanes_[2] = c;
    lanes_[3] = d;
    for (size_t lane = 0; bytes < end; bytes += 4, lane++) {
      uint32_t word = 0;
      std::memcpy(&word, bytes, bytes + 4 <= end ? 4 : 2);
      lanes_[lane / 4][lane % 4] = step<uint32_t>(lanes_[lane / 4][lane % 4], word);
    }
  }

  uint32_t result() const {
    uint32_t hash = 0;
    for (const Vector& lane : lanes_) {
      for (size_t i = 0; i < 4; i++) hash = step<uint32_t>(hash, lane[i]);
    }
    return hash;
  }

 private:
  typedef uint32_t Vector __attribute__((vector_size(16)));

  static Vector load(const uint8_t* bytes) {
    Vector words;
    std::memcpy(&words, bytes, sizeof(words));
    return words;
  }

  /** A bijection of either argument, of operations that every instruction set has for vectors. */
  template <class Word>
  static Word step(Word hash, Word word) {
    hash += word;
    hash ^= hash << 13;
    return hash ^ (hash >> 17);
  }

  Vector lanes_[4] = {};
};

}  // namespace bn::check
