// AVX2: F32 is two registers, F64 four. Partial loads and stores touch no byte past their n elements;
// stream() writes past the cache, to whole lines.
#include "pair.h"

constexpr int32_t first32[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
constexpr int64_t first64[8] = {-1, -1, -1, -1};

/** The sum of 8 lanes in two registers, added in halves. */
BN_INLINE double sum_of(__m256d lo, __m256d hi) {
  const __m256d four = _mm256_add_pd(lo, hi);
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(two) + _mm_cvtsd_f64(_mm_unpackhi_pd(two, two));
}

struct F32x8 {
  using T = float;
  static constexpr size_t size = 8;
  __m256 v;

  static BN_INLINE __m256i first(size_t n) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first32 + size - n));
  }
  static BN_INLINE F32x8 fill(T value) { return {_mm256_set1_ps(value)}; }
  static BN_INLINE F32x8 fill_partial(T value, size_t n) {
    return {_mm256_and_ps(_mm256_castsi256_ps(first(n)), _mm256_set1_ps(value))};
  }
  static BN_INLINE F32x8 load(const T* p) { return {_mm256_loadu_ps(p)}; }
  static BN_INLINE F32x8 load_partial(const T* p, size_t n) { return {_mm256_maskload_ps(p, first(n))}; }
  BN_INLINE void store(T* p) const { _mm256_storeu_ps(p, v); }
  BN_INLINE void store_partial(T* p, size_t n) const { _mm256_maskstore_ps(p, first(n), v); }
  BN_INLINE void stream(T* p) const { _mm256_stream_ps(p, v); }
  static BN_INLINE __m128i* line(const void* p) { return reinterpret_cast<__m128i*>(const_cast<void*>(p)); }
  static BN_INLINE F32x8 load(const Half* p) { return {_mm256_cvtph_ps(_mm_loadu_si128(line(p)))}; }
  static BN_INLINE F32x8 load(const BFloat* p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(line(p)));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16))};
  }
  BN_INLINE __m128i narrowed(const Half*) const {
    return _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  /** NaN is cut: what arithmetic or a BFloat made has its quiet bit in the upper half. */
  BN_INLINE __m128i narrowed(const BFloat*) const {
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i is_number = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_ORD_Q));
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i half = _mm256_and_si256(_mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)), is_number);
    const __m256i upper = _mm256_srli_epi32(_mm256_add_epi32(bits, half), 16);
    return _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256(upper, 1));
  }
  /**
   * Sixteen at a time, halves apart, as 16-bit integers: the upper grows by one where the lower, and one more
   * if the upper is odd, exceed 0x8000. A NaN of all ones must not grow into a zero, positive or negative.
   */
  static BN_INLINE __m256i narrowed(F32x8 a, F32x8 b, const BFloat*) {
    const __m256i zero = _mm256_setzero_si256(), one = _mm256_set1_epi16(1);
    const __m256i p = _mm256_castps_si256(a.v), q = _mm256_castps_si256(b.v);
    const __m256i packed = _mm256_packus_epi32(_mm256_srli_epi32(p, 16), _mm256_srli_epi32(q, 16));
    const __m256i upper = _mm256_min_epi16(packed, _mm256_set1_epi16(0x7ffe));
    const __m256i lower =
        _mm256_packus_epi32(_mm256_blend_epi16(p, zero, 0xaa), _mm256_blend_epi16(q, zero, 0xaa));
    const __m256i rest = _mm256_adds_epu16(lower, _mm256_and_si256(upper, one));
    const __m256i grows = _mm256_min_epu16(_mm256_subs_epu16(rest, _mm256_set1_epi16(-0x8000)), one);
    return _mm256_permute4x64_epi64(_mm256_adds_epu16(upper, grows), 0xd8);
  }
  static BN_INLINE void store_both(F32x8 a, F32x8 b, BFloat* p) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrowed(a, b, p));
  }
  static BN_INLINE void stream_both(F32x8 a, F32x8 b, BFloat* p) {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(p), narrowed(a, b, p));
  }
  template <class S>
  BN_INLINE void store(S* p) const {
    _mm_storeu_si128(line(p), narrowed(p));
  }
  template <class S>
  BN_INLINE void stream(S* p) const {
    _mm_stream_si128(line(p), narrowed(p));
  }
  BN_INLINE __m256d lower_wide() const { return _mm256_cvtps_pd(_mm256_castps256_ps128(v)); }
  BN_INLINE __m256d upper_wide() const { return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)); }
  static BN_INLINE double sum_both(F32x8 lo, F32x8 hi) {
    return sum_of(_mm256_add_pd(lo.lower_wide(), hi.lower_wide()),
                  _mm256_add_pd(lo.upper_wide(), hi.upper_wide()));
  }
  /** v < 0 ? 0 : v. The instruction gives its second operand for NaN and for zeros of either sign. */
  BN_INLINE F32x8 relu() const { return {_mm256_max_ps(_mm256_setzero_ps(), v)}; }
  /** y <= 0 ? 0 : v. */
  BN_INLINE F32x8 where_active(F32x8 y) const {
    return {_mm256_andnot_ps(_mm256_cmp_ps(y.v, _mm256_setzero_ps(), _CMP_LE_OQ), v)};
  }
  /** y <= 0 ? other : v. */
  BN_INLINE F32x8 where_active(F32x8 y, F32x8 other) const {
    return {_mm256_blendv_ps(v, other.v, _mm256_cmp_ps(y.v, _mm256_setzero_ps(), _CMP_LE_OQ))};
  }
};
BN_INLINE F32x8 operator+(F32x8 a, F32x8 b) { return {_mm256_add_ps(a.v, b.v)}; }
BN_INLINE F32x8 operator-(F32x8 a, F32x8 b) { return {_mm256_sub_ps(a.v, b.v)}; }
BN_INLINE F32x8 operator*(F32x8 a, F32x8 b) { return {_mm256_mul_ps(a.v, b.v)}; }

struct F64x4 {
  using T = double;
  static constexpr size_t size = 4;
  __m256d v;

  static BN_INLINE __m256i first(size_t n) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first64 + size - n));
  }
  static BN_INLINE F64x4 fill(T value) { return {_mm256_set1_pd(value)}; }
  static BN_INLINE F64x4 fill_partial(T value, size_t n) {
    return {_mm256_and_pd(_mm256_castsi256_pd(first(n)), _mm256_set1_pd(value))};
  }
  static BN_INLINE F64x4 load(const T* p) { return {_mm256_loadu_pd(p)}; }
  static BN_INLINE F64x4 load_partial(const T* p, size_t n) { return {_mm256_maskload_pd(p, first(n))}; }
  BN_INLINE void store(T* p) const { _mm256_storeu_pd(p, v); }
  BN_INLINE void store_partial(T* p, size_t n) const { _mm256_maskstore_pd(p, first(n), v); }
  BN_INLINE void stream(T* p) const { _mm256_stream_pd(p, v); }
  BN_INLINE F64x4 relu() const { return {_mm256_max_pd(_mm256_setzero_pd(), v)}; }
  BN_INLINE F64x4 where_active(F64x4 y) const {
    return {_mm256_andnot_pd(_mm256_cmp_pd(y.v, _mm256_setzero_pd(), _CMP_LE_OQ), v)};
  }
  BN_INLINE F64x4 where_active(F64x4 y, F64x4 other) const {
    return {_mm256_blendv_pd(v, other.v, _mm256_cmp_pd(y.v, _mm256_setzero_pd(), _CMP_LE_OQ))};
  }
};
BN_INLINE F64x4 operator+(F64x4 a, F64x4 b) { return {_mm256_add_pd(a.v, b.v)}; }
BN_INLINE F64x4 operator-(F64x4 a, F64x4 b) { return {_mm256_sub_pd(a.v, b.v)}; }
BN_INLINE F64x4 operator*(F64x4 a, F64x4 b) { return {_mm256_mul_pd(a.v, b.v)}; }

using F32 = Pair<F32x8>;
using F64x8 = Pair<F64x4>;
using F64 = Pair<F64x8>;
