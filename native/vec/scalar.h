// Plain C++: sixteen values in an array. The baseline of every architecture, and the wrapper's meaning.
template <class Element>
struct Values {
  using T = Element;
  static constexpr size_t size = 16;
  T v[size];

  /** The values of(i) of the first n lanes, 0 in the others. */
  template <class Of>
  static BN_INLINE Values each(const Of& of, size_t n = size) {
    Values r = {};
    for (size_t i = 0; i < n; i++) r.v[i] = of(i);
    return r;
  }
  static BN_INLINE Values fill(T value) {
    return each([&](size_t) { return value; });
  }
  static BN_INLINE Values fill_partial(T value, size_t n) {
    return each([&](size_t) { return value; }, n);
  }
  static BN_INLINE Values load(const T* p) {
    return each([&](size_t i) { return p[i]; });
  }
  static BN_INLINE Values load_partial(const T* p, size_t n) {
    return each([&](size_t i) { return p[i]; }, n);
  }
  BN_INLINE void store(T* p) const { store_partial(p, size); }
  BN_INLINE void stream(T* p) const { store(p); }
  BN_INLINE void store_partial(T* p, size_t n) const {
    for (size_t i = 0; i < n; i++) p[i] = v[i];
  }
  /** v < 0 ? 0 : v, which keeps NaN and -0. */
  BN_INLINE Values relu() const {
    return each([&](size_t i) { return v[i] < 0 ? 0 : v[i]; });
  }
  /** y <= 0 ? 0 : v. */
  BN_INLINE Values where_active(const Values& y) const {
    return each([&](size_t i) { return y.v[i] <= 0 ? 0 : v[i]; });
  }
  /** y <= 0 ? other : v. */
  BN_INLINE Values where_active(const Values& y, const Values& other) const {
    return each([&](size_t i) { return y.v[i] <= 0 ? other.v[i] : v[i]; });
  }
  friend BN_INLINE Values operator+(const Values& a, const Values& b) {
    return each([&](size_t i) { return a.v[i] + b.v[i]; });
  }
  friend BN_INLINE Values operator-(const Values& a, const Values& b) {
    return each([&](size_t i) { return a.v[i] - b.v[i]; });
  }
  friend BN_INLINE Values operator*(const Values& a, const Values& b) {
    return each([&](size_t i) { return a.v[i] * b.v[i]; });
  }
};

using F32 = Values<float>;
using F64 = Values<double>;
