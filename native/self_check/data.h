// The data of the self-check, as src/backends/self-check/inputs.ts makes them. In float64, of operations that
// round as IEEE 754 says; what is stored is rounded once more.
#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "../storage.h"
#include "cases.h"

namespace bn::check {

/** What is stored of a number. */
inline void narrow(double value, double* out) { *out = value; }
inline void narrow(double value, float* out) { *out = static_cast<float>(value); }
inline void narrow(double value, BFloat* out) {
  const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(value));
  out->bits = static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
inline void narrow(double value, Half* out) {
  const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(value));
  const uint32_t sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
  // Below 2^-14 the sum with 1/2 is rounded to multiples of 2^-24, which are its last bits.
  const uint32_t small = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000;
  const uint32_t normal = (magnitude - (112u << 23) + 0xfff + ((magnitude >> 13) & 1)) >> 13;
  const uint32_t rounded = magnitude > 0x7f800000    ? 0x7e00
                           : magnitude >= 0x47800000 ? 0x7c00
                           : magnitude < 0x38800000  ? small
                                                     : normal;
  out->bits = static_cast<uint16_t>(sign | rounded);
}

/** Factors of the first and of the last channel. */
struct Extremes {
  double huge, tiny;
};
constexpr Extremes ordinary = {1, 1};

/** Which values of a channel are off the others. */
enum class High { none, first, unsampled };

/** Whether a first shift is not made of the value of this index, of the n of a block (contract, clause 2). */
inline bool is_unsampled(size_t index, size_t n) {
  size_t samples = lanes;
  while (samples > n) samples /= 2;
  return (index * samples + n - 1) / n * n / samples != index;
}

/** A sequence of values with eight bits of exponent. */
class Sequence {
 public:
  explicit Sequence(uint32_t seed) : state_(seed) {}

  double next() {
    state_ = state_ * 1664525 + 1013904223;
    const double fraction = static_cast<double>(static_cast<int32_t>(state_)) / 0x1p31;
    return fraction * (static_cast<double>(1u << (state_ & 15)) / 256);
  }

 private:
  uint32_t state_;
};

/** Shaky data of one operand. */
template <class S>
void fill_shaky(const CheckCase& one, const Extremes& extremes, uint32_t seed, High high, double offset,
                S* out) {
  Sequence sequence(seed);
  const size_t run = one.inner < lanes ? 1 : one.inner, n = one.outer * run;
  for (size_t o = 0; o < one.outer; o++) {
    for (size_t c = 0; c < one.channels; c++) {
      const double scale = c == 0 ? extremes.huge : c == one.channels - 1 ? extremes.tiny : 1;
      for (size_t i = 0; i < one.inner; i++) {
        const size_t index = o * run + i % run;
        const bool is_high =
            high == High::unsampled ? is_unsampled(index, n) : high == High::first && index == 0;
        narrow((sequence.next() + (is_high ? offset : 0)) * scale, out++);
      }
    }
  }
}

/** Ordinary values, but NaN where the weight is 0, infinity in another channel, zeros or infinities in
 * others. */
template <class S>
void fill_special(const CheckCase& one, S* out) {
  const size_t n = one.outer * one.inner;
  Sequence sequence(1);
  for (size_t o = 0; o < one.outer; o++) {
    for (size_t c = 0; c < one.channels; c++) {
      for (size_t i = 0; i < one.inner; i++) {
        const size_t index = o * one.inner + i;
        double value = sequence.next();
        if (c % 4 == 0 && index == 2) value = NAN;
        if (c % 4 == 1 && index == n / 2) value = INFINITY;
        if (c % 4 == 2) value = index % 2 == 0 ? 0.0 : -0.0;
        if (c % 4 == 3 && index % 5 == 0) value = index % 2 == 0 ? INFINITY : -INFINITY;
        narrow(value, out++);
      }
    }
  }
}

/** NaN gets one payload: the contract leaves it open. */
template <class S>
void make_one_nan(size_t count, S* values) {
  for (size_t i = 0; i < count; i++) {
    const auto value = widened(values[i]);
    if (value != value) narrow(NAN, values + i);
  }
}

/** Weights of `count` positions, every fifth 0. */
template <class T>
void fill_weights(size_t count, double scale, T* out) {
  Sequence sequence(4);
  for (size_t i = 0; i < count; i++) {
    const double value = std::min(scale * std::fabs(sequence.next()), 0x1p127);
    narrow(i % 5 == 2 ? 0 : value, out + i);
  }
}

/** A prime, so that no two lanes of a block hold the same values. */
constexpr size_t period = 127;

/** Repeats the first `period` values. */
template <class S>
void repeat(size_t count, S* out) {
  for (size_t i = period; i < count; i += period) std::copy_n(out, std::min(period, count - i), out + i);
}

template <class S>
void fill_repeated(size_t count, uint32_t seed, S* out) {
  Sequence sequence(seed);
  for (size_t i = 0; i < std::min(period, count); i++) narrow(sequence.next(), out + i);
  repeat(count, out);
}

/** γ, β and the slopes of a case. */
inline void fill_parameters(const CheckCase& one, const Fields& fields) {
  const bool is_special = one.data == CheckData::special;
  for (size_t c = 0; c < one.channels; c++) {
    const double index = static_cast<double>(c);
    fields.weight[c] = is_special && c % 2 == 1 ? -1 - index / 4 : 1 + index / 4;
    fields.slope[c] = (static_cast<double>(c % 5) - 1) / 4;
    fields.bias[c] = is_special && c % 4 == 2 ? -0.0 : (index - 8) / 7;
  }
}

/** The operands of a case, and its weights. */
template <class S, class T>
void fill_operands(const CheckCase& one, S* x, S* dy, S* residual, T* w) {
  const size_t positions = one.outer * one.inner, size = positions * one.channels;
  if (one.data == CheckData::repeated) {
    fill_repeated(size, 1, x);
    fill_repeated(size, 2, dy);
    fill_repeated(size, 3, residual);
    fill_weights(std::min(positions, period), 1, w);
    return repeat(positions, w);
  }
  if (one.data == CheckData::special) {
    fill_special(one, x);
    fill_shaky(one, ordinary, 2, High::none, 0, dy);
    fill_shaky(one, ordinary, 3, High::none, 0, residual);
    return fill_weights(positions, 1, w);
  }
  constexpr Extremes extremes = std::is_same_v<S, Half> ? Extremes{4, 1.0 / 64} : Extremes{1e20, 1e-22};
  fill_shaky(one, extremes, 1, High::unsampled, 300, x);
  fill_shaky(one, extremes, 2, High::first, 1e4, dy);
  fill_shaky(one, extremes, 3, High::first, 1e4, residual);
  fill_weights(positions, one.channels * one.inner < lanes ? 0x1p127 : 1, w);
  if (one.data == CheckData::shaky) return;
  for (size_t i = 0; i < size; i++) narrow(3, x + i);
  std::fill_n(w, positions, T(0));
}

}  // namespace bn::check
