// Plain C++: sixteen values in an array. The baseline of every architecture, and the wrapper's meaning.
#define BN_EACH(size, expression)                           \
  for (size_t i = 0; i < (size); i++) r.v[i] = (expression); \
  return r

#define BN_VECTOR(V, Element)                                                                     \
  struct V {                                                                                      \
    using T = Element;                                                                            \
    static constexpr size_t size = 16;                                                            \
    T v[size];                                                                                    \
    static BN_INLINE V fill(T value) { V r; BN_EACH(size, value); }                               \
    static BN_INLINE V load(const T* p) { V r; BN_EACH(size, p[i]); }                             \
    static BN_INLINE V load_partial(const T* p, size_t n) { V r = fill(0); BN_EACH(n, p[i]); }    \
    BN_INLINE void store(T* p) const { store_partial(p, size); }                                  \
    BN_INLINE void store_partial(T* p, size_t n) const { for (size_t i = 0; i < n; i++) p[i] = v[i]; } \
    BN_INLINE V relu() const { V r; BN_EACH(size, v[i] < 0 ? 0 : v[i]); }                         \
    BN_INLINE V where_active(const V& y) const { V r; BN_EACH(size, y.v[i] <= 0 ? 0 : v[i]); }    \
  };                                                                                              \
  BN_INLINE V operator+(const V& a, const V& b) { V r; BN_EACH(V::size, a.v[i] + b.v[i]); }       \
  BN_INLINE V operator-(const V& a, const V& b) { V r; BN_EACH(V::size, a.v[i] - b.v[i]); }       \
  BN_INLINE V operator*(const V& a, const V& b) { V r; BN_EACH(V::size, a.v[i] * b.v[i]); }

BN_VECTOR(F32, float)
BN_VECTOR(F64, double)
