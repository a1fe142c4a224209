// A vector of two halves, operation by operation. Included inside a target region, before its vectors.
template <class Half>
struct Pair {
  using T = typename Half::T;
  static constexpr size_t size = 2 * Half::size;
  Half lo, hi;

  static BN_INLINE Pair fill(T value) { return {Half::fill(value), Half::fill(value)}; }
  static BN_INLINE Pair fill_partial(T value, size_t n) {
    if (n < Half::size) return {Half::fill_partial(value, n), Half::fill(0)};
    return {Half::fill(value), Half::fill_partial(value, n - Half::size)};
  }
  static BN_INLINE Pair load_partial(const T* p, size_t n) {
    if (n < Half::size) return {Half::load_partial(p, n), Half::fill(0)};
    return {Half::load(p), Half::load_partial(p + Half::size, n - Half::size)};
  }
  template <class S>
  static BN_INLINE Pair load(const S* p) {
    return {Half::load(p), Half::load(p + Half::size)};
  }
  /** Where the halves know a better way together, they are stored so. */
  template <class S>
  BN_INLINE void store(S* p) const {
    if constexpr (requires { Half::store_both(lo, hi, p); }) return Half::store_both(lo, hi, p);
    lo.store(p);
    hi.store(p + Half::size);
  }
  template <class S>
  BN_INLINE void stream(S* p) const {
    if constexpr (requires { Half::stream_both(lo, hi, p); }) return Half::stream_both(lo, hi, p);
    lo.stream(p);
    hi.stream(p + Half::size);
  }
  BN_INLINE void store_partial(T* p, size_t n) const {
    if (n < Half::size) return lo.store_partial(p, n);
    lo.store(p);
    hi.store_partial(p + Half::size, n - Half::size);
  }
  /** The lanes widened and added in halves, where the halves know how. */
  BN_INLINE double sum() const requires requires(Half half) { Half::sum_both(half, half); }
  { return Half::sum_both(lo, hi); }
  BN_INLINE Pair relu() const { return {lo.relu(), hi.relu()}; }
  BN_INLINE Pair where_active(Pair y) const { return {lo.where_active(y.lo), hi.where_active(y.hi)}; }
  BN_INLINE Pair where_active(Pair y, Pair other) const {
    return {lo.where_active(y.lo, other.lo), hi.where_active(y.hi, other.hi)};
  }
  friend BN_INLINE Pair operator+(Pair a, Pair b) { return {a.lo + b.lo, a.hi + b.hi}; }
  friend BN_INLINE Pair operator-(Pair a, Pair b) { return {a.lo - b.lo, a.hi - b.hi}; }
  friend BN_INLINE Pair operator*(Pair a, Pair b) { return {a.lo * b.lo, a.hi * b.hi}; }
};
