// Clause 9 of the contract, step by step, out of the functions of the specification.
import {
  affineOf,
  backward,
  normalize,
  round,
  stored,
  type Affine,
  type Numbers,
  type Options,
} from "./specification.js";

/** Gradients of a backward's results; null is absent. */
export interface Incoming {
  ddx: Numbers | null;
  ddresidual: Numbers | null;
  ddgamma: Numbers | null;
  ddbeta: Numbers | null;
}

export interface DoubleGradients {
  dx: Numbers;
  ddy: Numbers;
  dgamma: number[];
}

type Table = (c: number) => number;

/** `options` and `affine` are those of the first backward, of x and dy. */
export function doubleBackward(
  x: Numbers,
  dy: Numbers,
  { ddx, ddresidual, ddgamma, ddbeta }: Incoming,
  affine: Affine[],
  options: Options,
): DoubleGradients {
  const { dtype, isFixed } = options;
  const { outer, channels: channelCount, inner } = options.extent;
  const plain = { ...options, slope: null, curve: null, residual: null };
  const zeros = Array.from(x, () => 0);
  const W = outer * inner;
  const gamma: Table = (c) => options.gamma?.[c] ?? 1;
  const w: Table = (c) => ddgamma?.[c] ?? 0;
  const r: Table = (c) => affine[c]!.r;
  const table = (value: Table): number[] => affine.map((_, c) => value(c));
  const map = (z: Numbers, mean: Table, scale: Table, offset: Table, residual: Numbers | null): Numbers => {
    const maps = affine.map((stats, c) => affineOf(dtype, { ...stats, mean: mean(c) }, 1, scale(c), offset(c)));
    return normalize(z, maps, { ...plain, residual });
  };
  const back = (dyOf: Numbers, scale: Table): Numbers => {
    const scaled = affine.map((stats, c) => ({ ...stats, p: scale(c) * stats.r }));
    return backward(x, null, dyOf, scaled, plain).dx;
  };
  /** S and X of gradients g about z, whose mean this is. */
  const sums = (z: Numbers, mean: Table, g: Numbers): { S: Table; X: Table } => {
    const about = affine.map((stats, c) => affineOf(dtype, { ...stats, mean: mean(c) }, stats.r, stats.p, 0));
    const { channels } = backward(z, null, g, about, plain);
    const ofX = channels.map(({ S, U }, c) => U + (about[c]!.center - mean(c)) * S);
    return { S: (c) => channels[c]!.S, X: (c) => ofX[c]! };
  };
  /** (u − (s + d·t))·a with the coefficients of step 3. */
  const throughX = (u: Numbers, l: Table): Numbers =>
    Array.from(u, (value, p) => {
      const { center, mean: exact, r: scale } = affine[Math.floor(p / inner) % channelCount]!;
      const slope = l(Math.floor(p / inner) % channelCount);
      const d = round(dtype, x[p]! - center);
      const inside = round(dtype, round(dtype, (center - exact) * slope) + round(dtype, d * round(dtype, slope)));
      return stored(dtype, round(dtype, round(dtype, value - inside) * round(dtype, scale)));
    });
  const none: Table = () => 0;
  const mean: Table = (c) => affine[c]!.mean;
  const masked = (data: Numbers): Numbers => backward(x, null, data, affine, options).dresidual;

  // Step 1.
  const hasActivation = options.slope !== null || Boolean(options.curve);
  const g = hasActivation ? masked(dy) : dy;
  let dx: Numbers = zeros;
  let ddy: Numbers = zeros;
  let dgamma = table(none);
  // Step 2.
  if (ddx) {
    ddy = back(ddx, gamma);
    const ofDdx = sums(x, mean, ddx);
    const ofG = sums(x, mean, g);
    const mean_dd = table((c) => (isFixed ? 0 : ofDdx.S(c) / W));
    const q_dd = table((c) => (isFixed ? 0 : r(c) * ofDdx.X(c) * r(c)));
    const mean_g = table((c) => (isFixed ? 0 : ofG.S(c) / W));
    const q_g = table((c) => (isFixed ? 0 : ofG.X(c) * r(c)));
    const both = sums(g, (c) => mean_g[c]!, ddx);
    const q_gdd = table((c) => r(c) * both.X(c));
    dgamma = table((c) => q_gdd[c]! - (q_dd[c]! * q_g[c]!) / W);
    // Step 3.
    if (!isFixed) {
      const ofA: Table = (c) => (-gamma(c) * r(c) * q_g[c]!) / W;
      const l: Table = (c) => (r(c) / W) * (gamma(c) * (q_gdd[c]! - (3 * q_dd[c]! * q_g[c]!) / W) + w(c) * q_g[c]!);
      dx = map(ddx, (c) => mean_dd[c]!, ofA, none, null);
      dx = map(
        g,
        (c) => mean_g[c]!,
        (c) => w(c) - (gamma(c) * q_dd[c]!) / W,
        none,
        dx,
      );
      dx = throughX(dx, l);
    }
  }
  if (ddgamma && (!ddx || isFixed)) dx = back(g, w);
  // Step 4.
  if (ddgamma || ddbeta)
    ddy = map(
      x,
      mean,
      (c) => w(c) * r(c),
      (c) => ddbeta?.[c] ?? 0,
      ddx && ddy,
    );
  // Step 5.
  if (ddresidual) ddy = map(ddresidual, none, () => 1, none, ddy);
  // Steps 6 and 7.
  if (hasActivation) ddy = masked(ddy);
  return { dx, ddy, dgamma };
}
