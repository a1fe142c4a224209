// AVX-512: F32 is one register, F64 two. Partial loads and stores touch no byte past their n elements;
// stream() writes past the cache, to whole lines.
#include "pair.h"

/** Where each 16-bit half comes from: value i goes to the upper half of lane i, or comes from it. */
alignas(64) constexpr uint16_t to_upper[32] = {0, 0, 0, 1, 0, 2,  0, 3,  0, 4,  0, 5,  0, 6,  0, 7,
                                               0, 8, 0, 9, 0, 10, 0, 11, 0, 12, 0, 13, 0, 14, 0, 15};
alignas(64) constexpr uint16_t from_upper[32] = {1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31};

/** The sum of 8 lanes, added in halves. */
BN_INLINE double sum_of(__m512d v) {
  const __m256d four =
      _mm256_add_pd(_mm512_maskz_extractf64x4_pd(0xf, v, 0), _mm512_maskz_extractf64x4_pd(0xf, v, 1));
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(two) + _mm_cvtsd_f64(_mm_unpackhi_pd(two, two));
}

struct F32 {
  using T = float;
  static constexpr size_t size = 16;
  __m512 v;

  static BN_INLINE __mmask16 first(size_t n) { return static_cast<__mmask16>((1u << n) - 1); }
  static BN_INLINE F32 fill(T value) { return {_mm512_set1_ps(value)}; }
  static BN_INLINE F32 fill_partial(T value, size_t n) {
    return {_mm512_maskz_mov_ps(first(n), _mm512_set1_ps(value))};
  }
  static BN_INLINE F32 load(const T* p) { return {_mm512_loadu_ps(p)}; }
  static BN_INLINE F32 load_partial(const T* p, size_t n) { return {_mm512_maskz_loadu_ps(first(n), p)}; }
  BN_INLINE void store(T* p) const { _mm512_storeu_ps(p, v); }
  BN_INLINE void store_partial(T* p, size_t n) const { _mm512_mask_storeu_ps(p, first(n), v); }
  BN_INLINE void stream(T* p) const { _mm512_stream_ps(p, v); }
  static BN_INLINE __m256i* line(const void* p) { return reinterpret_cast<__m256i*>(const_cast<void*>(p)); }
  // All lanes of masked instructions: GCC 12 warns of an uninitialized value inside the others.
  static constexpr __mmask16 all = 0xffff;
  static BN_INLINE F32 load(const Half* p) {
    return {_mm512_maskz_cvtph_ps(all, _mm256_loadu_si256(line(p)))};
  }
  static BN_INLINE F32 load(const BFloat* p) {
    // The upper half of lane i is value i; one instruction instead of a conversion and a shift.
    const __m512i lines = _mm512_maskz_loadu_epi16(all, p);
    return {
        _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xaaaaaaaa, _mm512_load_si512(to_upper), lines))};
  }
  BN_INLINE __m256i narrowed(const Half*) const {
    return _mm512_maskz_cvtps_ph(all, v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  /**
   * Not the instruction of AVX512_BF16, which flushes denormals. NaN is cut: what arithmetic or a BFloat made
   * has its quiet bit in the upper half.
   */
  BN_INLINE __m256i narrowed(const BFloat*) const {
    const __m512i bits = _mm512_castps_si512(v);
    const __mmask16 is_number = _mm512_cmp_ps_mask(v, v, _CMP_ORD_Q);
    const __mmask16 is_odd = _mm512_mask_test_epi32_mask(is_number, bits, _mm512_set1_epi32(0x10000));
    const __m512i nearly = _mm512_mask_add_epi32(bits, is_number, bits, _mm512_set1_epi32(0x7fff));
    const __m512i rounded = _mm512_mask_add_epi32(nearly, is_odd, nearly, _mm512_set1_epi32(1));
    const __m512i packed = _mm512_maskz_permutexvar_epi16(~0u, _mm512_load_si512(from_upper), rounded);
    return _mm512_maskz_extracti64x4_epi64(0xff, packed, 0);
  }
  template <class S>
  BN_INLINE void store(S* p) const {
    _mm256_storeu_si256(line(p), narrowed(p));
  }
  template <class S>
  BN_INLINE void stream(S* p) const {
    _mm256_stream_si256(line(p), narrowed(p));
  }
  /** The lanes widened and added in halves, as add_pairwise does. */
  BN_INLINE double sum() const {
    const __m256 upper = _mm512_maskz_extractf32x8_ps(0xff, v, 1);
    return sum_of(_mm512_add_pd(_mm512_maskz_cvtps_pd(0xff, _mm512_maskz_extractf32x8_ps(0xff, v, 0)),
                                _mm512_maskz_cvtps_pd(0xff, upper)));
  }
  /** v < 0 ? 0 : v. Not _mm512_max_ps: GCC 12 warns of an uninitialized value inside it. */
  BN_INLINE F32 relu() const {
    return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NLT_UQ), v)};
  }
  /** y <= 0 ? 0 : v. */
  BN_INLINE F32 where_active(F32 y) const {
    return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(y.v, _mm512_setzero_ps(), _CMP_NLE_UQ), v)};
  }
  /** y <= 0 ? other : v. */
  BN_INLINE F32 where_active(F32 y, F32 other) const {
    return {_mm512_mask_mov_ps(v, _mm512_cmp_ps_mask(y.v, _mm512_setzero_ps(), _CMP_LE_OQ), other.v)};
  }
};
BN_INLINE F32 operator+(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
BN_INLINE F32 operator-(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
BN_INLINE F32 operator*(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }

struct F64x8 {
  using T = double;
  static constexpr size_t size = 8;
  __m512d v;

  static BN_INLINE __mmask8 first(size_t n) { return static_cast<__mmask8>((1u << n) - 1); }
  static BN_INLINE F64x8 fill(T value) { return {_mm512_set1_pd(value)}; }
  static BN_INLINE F64x8 fill_partial(T value, size_t n) {
    return {_mm512_maskz_mov_pd(first(n), _mm512_set1_pd(value))};
  }
  static BN_INLINE F64x8 load(const T* p) { return {_mm512_loadu_pd(p)}; }
  static BN_INLINE F64x8 load_partial(const T* p, size_t n) { return {_mm512_maskz_loadu_pd(first(n), p)}; }
  BN_INLINE void store(T* p) const { _mm512_storeu_pd(p, v); }
  BN_INLINE void store_partial(T* p, size_t n) const { _mm512_mask_storeu_pd(p, first(n), v); }
  BN_INLINE void stream(T* p) const { _mm512_stream_pd(p, v); }
  static BN_INLINE double sum_both(F64x8 lo, F64x8 hi) { return sum_of(_mm512_add_pd(lo.v, hi.v)); }
  BN_INLINE F64x8 relu() const {
    return {_mm512_maskz_mov_pd(_mm512_cmp_pd_mask(v, _mm512_setzero_pd(), _CMP_NLT_UQ), v)};
  }
  BN_INLINE F64x8 where_active(F64x8 y) const {
    return {_mm512_maskz_mov_pd(_mm512_cmp_pd_mask(y.v, _mm512_setzero_pd(), _CMP_NLE_UQ), v)};
  }
  BN_INLINE F64x8 where_active(F64x8 y, F64x8 other) const {
    return {_mm512_mask_mov_pd(v, _mm512_cmp_pd_mask(y.v, _mm512_setzero_pd(), _CMP_LE_OQ), other.v)};
  }
};
BN_INLINE F64x8 operator+(F64x8 a, F64x8 b) { return {_mm512_add_pd(a.v, b.v)}; }
BN_INLINE F64x8 operator-(F64x8 a, F64x8 b) { return {_mm512_sub_pd(a.v, b.v)}; }
BN_INLINE F64x8 operator*(F64x8 a, F64x8 b) { return {_mm512_mul_pd(a.v, b.v)}; }

using F64 = Pair<F64x8>;
