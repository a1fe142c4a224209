// AVX2: F32 is two registers, F64 four. Partial loads and stores touch no byte past their n elements;
// stream() writes past the cache, to whole lines.
constexpr int32_t first32[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
constexpr int64_t first64[8] = {-1, -1, -1, -1};

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

#define BN_PAIR F32
#define BN_HALF F32x8
#include "pair.inc"
#define BN_PAIR F64x8
#define BN_HALF F64x4
#include "pair.inc"
#define BN_PAIR F64
#define BN_HALF F64x8
#include "pair.inc"
