// O(C) maths around the sums, in float64, operation by operation as in TypeScript. It is included once for
// each element type T, which must stand before it, inside the namespace of that type.

/** Statistics of `count` values: their mean and m2 = Σ(x − mean)². */
struct Moments {
  double count, mean, m2;
};

/** Moments of the values of `a` followed by those of `b`. Count 0 is the identity. */
inline Moments merge(const Moments& a, const Moments& b) {
  if (b.count == 0) return a;
  if (a.count == 0) return b;
  const double count = a.count + b.count;
  const double f = b.count / count;
  const double delta = b.mean - a.mean;
  return {count, a.mean + delta * f, (a.m2 + b.m2) + (delta * delta) * (a.count * f)};
}

/** Rounds once to the data's type. */
inline double round_to_type(double value) { return static_cast<double>(static_cast<T>(value)); }

/** r = 1/√(m2/count + ε), and 0 where that would divide by 0. */
BN_NOINLINE inline void inv_stds(const Control& control, double count, size_t begin, size_t end) {
  const double eps = control.header.eps;
  for (size_t c = begin; c < end; c++) {
    const double v = control.m2[c] / count + eps, r = 1 / std::sqrt(v);
    control.inv_std[c] = count == 0 || v == 0 ? 0 : r;
  }
}

/** y = (x − center)·scale + shift. */
BN_NOINLINE inline void affine_coefficients(const Control& control, size_t begin, size_t end) {
  for (size_t c = begin; c < end; c++) {
    const double p = control.weight[c] * control.inv_std[c];
    const double center = round_to_type(control.mean[c]);
    control.center[c] = center;
    control.scale[c] = round_to_type(p);
    control.shift[c] = round_to_type(control.bias[c] + (center - control.mean[c]) * p);
  }
}

/** dx = (g − w·(s + (x − center)·t))·a; X = U + (center − mean)·S, q = r²·X/count. Of count 0, s = t = 0. */
BN_NOINLINE inline void grad_coefficients(const Control& control, double count, size_t begin, size_t end) {
  for (size_t c = begin; c < end; c++) {
    const double r = control.inv_std[c], off_center = control.center[c] - control.mean[c];
    const double q = ((r * r) * (control.sum_gx[c] + off_center * control.sum_g[c])) / count;
    const double s = control.sum_g[c] / count + off_center * q;
    control.grad_slope[c] = count == 0 ? 0 : round_to_type(q);
    control.grad_shift[c] = count == 0 ? 0 : round_to_type(s);
    control.grad_scale[c] = round_to_type(control.weight[c] * r);
  }
}
