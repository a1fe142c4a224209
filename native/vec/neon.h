// NEON: F32 is four registers, F64 eight. Partial loads and stores touch no byte past their n elements.
#include "pair.h"

struct F32x4 {
  using T = float;
  static constexpr size_t size = 4;
  float32x4_t v;

  static BN_INLINE F32x4 fill(T value) { return {vdupq_n_f32(value)}; }
  static BN_INLINE F32x4 fill_partial(T value, size_t n) {
    const T v[4] = {n > 0 ? value : 0, n > 1 ? value : 0, n > 2 ? value : 0, 0};
    return {vld1q_f32(v)};
  }
  static BN_INLINE F32x4 load(const T* p) { return {vld1q_f32(p)}; }
  static BN_INLINE F32x4 load_partial(const T* p, size_t n) {
    float32x4_t v = vdupq_n_f32(0);
    if (n > 0) v = vld1q_lane_f32(p, v, 0);
    if (n > 1) v = vld1q_lane_f32(p + 1, v, 1);
    if (n > 2) v = vld1q_lane_f32(p + 2, v, 2);
    return {v};
  }
  BN_INLINE void store(T* p) const { vst1q_f32(p, v); }
  BN_INLINE void stream(T* p) const { store(p); }
  static BN_INLINE F32x4 load(const Half* p) {
    return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(&p->bits)))};
  }
  static BN_INLINE F32x4 load(const BFloat* p) {
    return {vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(&p->bits), 16))};
  }
  BN_INLINE uint16x4_t narrowed(const Half*) const { return vreinterpret_u16_f16(vcvt_f16_f32(v)); }
  BN_INLINE uint16x4_t narrowed(const BFloat*) const {
    const uint32x4_t bits = vreinterpretq_u32_f32(v), odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    const uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
    return vshrn_n_u32(vbslq_u32(vceqq_f32(v, v), rounded, quiet), 16);
  }
  template <class S>
  BN_INLINE void store(S* p) const {
    vst1_u16(&p->bits, narrowed(p));
  }
  template <class S>
  BN_INLINE void stream(S* p) const {
    store(p);
  }
  BN_INLINE void store_partial(T* p, size_t n) const {
    if (n > 0) vst1q_lane_f32(p, v, 0);
    if (n > 1) vst1q_lane_f32(p + 1, v, 1);
    if (n > 2) vst1q_lane_f32(p + 2, v, 2);
  }
  /** v < 0 ? 0 : v. Not vmaxq: it makes a positive zero of -0. */
  BN_INLINE F32x4 relu() const { return without(vcltzq_f32(v)); }
  /** y <= 0 ? 0 : v. */
  BN_INLINE F32x4 where_active(F32x4 y) const { return without(vclezq_f32(y.v)); }
  /** y <= 0 ? other : v. */
  BN_INLINE F32x4 where_active(F32x4 y, F32x4 other) const {
    return {vbslq_f32(vclezq_f32(y.v), other.v, v)};
  }
  BN_INLINE F32x4 without(uint32x4_t lanes) const {
    return {vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(v), lanes))};
  }
};
BN_INLINE F32x4 operator+(F32x4 a, F32x4 b) { return {vaddq_f32(a.v, b.v)}; }
BN_INLINE F32x4 operator-(F32x4 a, F32x4 b) { return {vsubq_f32(a.v, b.v)}; }
BN_INLINE F32x4 operator*(F32x4 a, F32x4 b) { return {vmulq_f32(a.v, b.v)}; }

struct F64x2 {
  using T = double;
  static constexpr size_t size = 2;
  float64x2_t v;

  static BN_INLINE F64x2 fill(T value) { return {vdupq_n_f64(value)}; }
  static BN_INLINE F64x2 fill_partial(T value, size_t n) {
    return {vsetq_lane_f64(n > 0 ? value : 0, vdupq_n_f64(0), 0)};
  }
  static BN_INLINE F64x2 load(const T* p) { return {vld1q_f64(p)}; }
  static BN_INLINE F64x2 load_partial(const T* p, size_t n) {
    const float64x2_t zero = vdupq_n_f64(0);
    return {n == 0 ? zero : vld1q_lane_f64(p, zero, 0)};
  }
  BN_INLINE void store(T* p) const { vst1q_f64(p, v); }
  BN_INLINE void stream(T* p) const { store(p); }
  BN_INLINE void store_partial(T* p, size_t n) const {
    if (n == 1) vst1q_lane_f64(p, v, 0);
  }
  BN_INLINE F64x2 relu() const { return without(vcltzq_f64(v)); }
  BN_INLINE F64x2 where_active(F64x2 y) const { return without(vclezq_f64(y.v)); }
  BN_INLINE F64x2 where_active(F64x2 y, F64x2 other) const {
    return {vbslq_f64(vclezq_f64(y.v), other.v, v)};
  }
  BN_INLINE F64x2 without(uint64x2_t lanes) const {
    return {vreinterpretq_f64_u64(vbicq_u64(vreinterpretq_u64_f64(v), lanes))};
  }
};
BN_INLINE F64x2 operator+(F64x2 a, F64x2 b) { return {vaddq_f64(a.v, b.v)}; }
BN_INLINE F64x2 operator-(F64x2 a, F64x2 b) { return {vsubq_f64(a.v, b.v)}; }
BN_INLINE F64x2 operator*(F64x2 a, F64x2 b) { return {vmulq_f64(a.v, b.v)}; }

using F32x8 = Pair<F32x4>;
using F32 = Pair<F32x8>;
using F64x4 = Pair<F64x2>;
using F64x8 = Pair<F64x4>;
using F64 = Pair<F64x8>;
