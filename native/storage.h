// 16-bit storage: what a tensor's elements are kept in, converted to and from float32 one by one. The vector
// wrappers do the same to 4 to 16 at a time.
#pragma once

#include <bit>
#include <cstdint>

#include "target.h"

namespace bn {

/** IEEE 754 binary16, and the upper half of a binary32. */
struct Half {
  uint16_t bits;
};
struct BFloat {
  uint16_t bits;
};

/** Exactly; what is not stored in 16 bits is itself. */
BN_INLINE float widened(float value) { return value; }
BN_INLINE double widened(double value) { return value; }
BN_INLINE float widened(BFloat value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16);
}
BN_INLINE float widened(Half value) {
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000) << 16, magnitude = value.bits & 0x7fff;
  const uint32_t shifted = magnitude << 13;
  // Below 2^-14 a multiple of 2^-24: 2^-14 and that many of its units, less 2^-14.
  const float small = std::bit_cast<float>(shifted + (113u << 23)) - 0x1p-14f;
  if (magnitude < 0x0400) return std::bit_cast<float>(std::bit_cast<uint32_t>(small) | sign);
  if (magnitude >= 0x7c00) return std::bit_cast<float>(shifted | 0x7f800000 | sign);
  return std::bit_cast<float>((shifted + (112u << 23)) | sign);
}

/** The largest value that is stored as 0. */
template <class Storage>
constexpr float largest_zero = 0;
template <>
inline constexpr float largest_zero<Half> = 0x1p-25f;
template <>
inline constexpr float largest_zero<BFloat> = 0x1p-134f;

}  // namespace bn
