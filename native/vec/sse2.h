// SSE2: F32 is four registers, F64 eight. Partial loads and stores touch no byte past their n elements;
// stream() writes past the cache, to whole lines.
#include "pair.h"

struct F32x4 {
  using T = float;
  static constexpr size_t size = 4;
  __m128 v;

  static BN_INLINE F32x4 fill(T value) { return {_mm_set1_ps(value)}; }
  static BN_INLINE F32x4 fill_partial(T value, size_t n) {
    return {_mm_setr_ps(n > 0 ? value : 0, n > 1 ? value : 0, n > 2 ? value : 0, 0)};
  }
  static BN_INLINE F32x4 load(const T* p) { return {_mm_loadu_ps(p)}; }
  static BN_INLINE F32x4 load_partial(const T* p, size_t n) {
    if (n == 0) return fill(0);
    if (n == 1) return {_mm_load_ss(p)};
    const __m128 two = _mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    return {n == 2 ? two : _mm_movelh_ps(two, _mm_load_ss(p + 2))};
  }
  BN_INLINE void store(T* p) const { _mm_storeu_ps(p, v); }
  BN_INLINE void stream(T* p) const { _mm_stream_ps(p, v); }
  BN_INLINE void store_partial(T* p, size_t n) const {
    if (n == 1) _mm_store_ss(p, v);
    if (n >= 2) _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_castps_si128(v));
    if (n == 3) _mm_store_ss(p + 2, _mm_movehl_ps(v, v));
  }
  /** v < 0 ? 0 : v. The instruction gives its second operand for NaN and for zeros of either sign. */
  BN_INLINE F32x4 relu() const { return {_mm_max_ps(_mm_setzero_ps(), v)}; }
  /** y <= 0 ? 0 : v. */
  BN_INLINE F32x4 where_active(F32x4 y) const {
    return {_mm_andnot_ps(_mm_cmple_ps(y.v, _mm_setzero_ps()), v)};
  }
  /** y <= 0 ? other : v. */
  BN_INLINE F32x4 where_active(F32x4 y, F32x4 other) const {
    const __m128 lanes = _mm_cmple_ps(y.v, _mm_setzero_ps());
    return {_mm_or_ps(_mm_and_ps(lanes, other.v), _mm_andnot_ps(lanes, v))};
  }
};
BN_INLINE F32x4 operator+(F32x4 a, F32x4 b) { return {_mm_add_ps(a.v, b.v)}; }
BN_INLINE F32x4 operator-(F32x4 a, F32x4 b) { return {_mm_sub_ps(a.v, b.v)}; }
BN_INLINE F32x4 operator*(F32x4 a, F32x4 b) { return {_mm_mul_ps(a.v, b.v)}; }

struct F64x2 {
  using T = double;
  static constexpr size_t size = 2;
  __m128d v;

  static BN_INLINE F64x2 fill(T value) { return {_mm_set1_pd(value)}; }
  static BN_INLINE F64x2 fill_partial(T value, size_t n) { return {_mm_set_sd(n > 0 ? value : 0)}; }
  static BN_INLINE F64x2 load(const T* p) { return {_mm_loadu_pd(p)}; }
  static BN_INLINE F64x2 load_partial(const T* p, size_t n) {
    return n == 0 ? fill(0) : F64x2{_mm_load_sd(p)};
  }
  BN_INLINE void store(T* p) const { _mm_storeu_pd(p, v); }
  BN_INLINE void stream(T* p) const { _mm_stream_pd(p, v); }
  BN_INLINE void store_partial(T* p, size_t n) const {
    if (n == 1) _mm_store_sd(p, v);
  }
  BN_INLINE F64x2 relu() const { return {_mm_max_pd(_mm_setzero_pd(), v)}; }
  BN_INLINE F64x2 where_active(F64x2 y) const {
    return {_mm_andnot_pd(_mm_cmple_pd(y.v, _mm_setzero_pd()), v)};
  }
  BN_INLINE F64x2 where_active(F64x2 y, F64x2 other) const {
    const __m128d lanes = _mm_cmple_pd(y.v, _mm_setzero_pd());
    return {_mm_or_pd(_mm_and_pd(lanes, other.v), _mm_andnot_pd(lanes, v))};
  }
};
BN_INLINE F64x2 operator+(F64x2 a, F64x2 b) { return {_mm_add_pd(a.v, b.v)}; }
BN_INLINE F64x2 operator-(F64x2 a, F64x2 b) { return {_mm_sub_pd(a.v, b.v)}; }
BN_INLINE F64x2 operator*(F64x2 a, F64x2 b) { return {_mm_mul_pd(a.v, b.v)}; }

using F32x8 = Pair<F32x4>;
using F32 = Pair<F32x8>;
using F64x4 = Pair<F64x2>;
using F64x8 = Pair<F64x4>;
using F64 = Pair<F64x8>;
