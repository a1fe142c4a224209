// Double backward: the gradients of what a backward computed. O(C) maths over the kernels that there are; nothing here
// rejects anything.
import { centeredSum } from "../kernels/coefficients.js";
import type { Control } from "../kernels/control.js";
import { applyGrads, backward, maskGrads, sumGrads, type GradCoefficients } from "./backward.js";
import { forwardFixed, type Workspace } from "./forward.js";
import { sizeOf, type Saved } from "../values/saved.js";
import { allocate, round, type Data } from "../base/types.js";

/** Gradients of a loss with respect to the results of a backward; null counts as 0. */
export interface Incoming {
  readonly ddx: Data | null;
  readonly ddresidual: Data | null;
  readonly ddweight: Float64Array | null;
  readonly ddbias: Float64Array | null;
}

/** What goes in and out of a double backward: dx and ddy are its results, zeros as yet. */
export interface DoubleBackwardArrays extends Incoming {
  readonly dy: Data;
  readonly dx: Data;
  readonly ddy: Data;
}

const INPUT = { input: true, weight: false, bias: false, residual: false } as const;

/** Per channel, of the first backward's g and of a = ddx: what all results are made of. */
interface Sums {
  readonly meanG: Float64Array;
  readonly meanA: Float64Array;
  /** r·Σg·(x − mean). */
  readonly gx: Float64Array;
  /** r²·Σa·(x − mean). */
  readonly ax: Float64Array;
  /** r·Σa·(g − meanG): centred, as the difference of Σa·g and Σa·Σg/m would cancel. */
  readonly ag: Float64Array;
}

function perChannel(channels: number, value: (c: number) => number): Float64Array {
  const table = new Float64Array(channels);
  for (let c = 0; c < channels; c++) table[c] = value(c);
  return table;
}

/** All sums; ddy receives the part of gradGradOutput that comes from a, which is a backward of a. */
function sumsOf(workspace: Workspace, saved: Saved, g: Data, a: Data, ddy: Data): Sums {
  const { control } = workspace;
  const { channels, count, invStd: r, frozen } = saved;
  const table = (value: (c: number) => number): Float64Array => perChannel(channels, value);
  const mean = (): Float64Array => table((c) => control.fields.sumG[c]! / count);
  backward(workspace, saved, { dy: a, dx: ddy, dresidual: null }, INPUT);
  // Fixed statistics let neither g nor a through to x: what stands for their effect is 0.
  const zeros = new Float64Array(channels);
  const ofA = frozen
    ? { meanA: zeros, ax: zeros }
    : { meanA: mean(), ax: table((c) => r[c]! * centeredSum(control, c) * r[c]!) };
  if (!frozen) sumGrads(workspace, saved, g);
  const ofG = frozen
    ? { meanG: zeros, gx: zeros }
    : { meanG: mean(), gx: table((c) => centeredSum(control, c) * r[c]!) };
  sumGrads(workspace, { ...saved, x: g, mean: ofG.meanG }, a);
  return { ...ofA, ...ofG, ag: table((c) => r[c]! * centeredSum(control, c)) };
}

/** y = (x − mean)·weight + bias + residual: an inference of variance 1. */
function affineMap(
  workspace: Workspace,
  saved: Saved,
  { x, mean, weight, bias = null }: { x: Data; mean: Float64Array; weight: Float64Array; bias?: Float64Array | null },
  residual: Data | null,
  y: Data,
): void {
  const plan = { ...saved, size: sizeOf(saved), samples: null };
  const ones = new Float64Array(saved.channels).fill(1);
  forwardFixed(
    workspace,
    plan,
    { weight, bias, eps: 0 },
    { x, y, residual, activation: "none", weights: null },
    mean,
    ones,
  );
}

/** Coefficients of dx = ((u − s) − (x − center)·t)·r. */
function slopeCoefficients({ isFloat32 }: Control, saved: Saved, slope: Float64Array): GradCoefficients {
  const { channels, mean, invStd } = saved;
  const rounded = (value: (c: number) => number): Float64Array =>
    perChannel(channels, (c) => round(isFloat32, value(c)));
  return {
    gradShift: rounded((c) => (round(isFloat32, mean[c]!) - mean[c]!) * slope[c]!),
    gradSlope: rounded((c) => slope[c]!),
    gradScale: rounded((c) => invStd[c]!),
  };
}

/**
 * The gradient to x with batch statistics, w = ddweight, in units where each coefficient is of the order of its array:
 *
 *     dx = r·{(w − γ·ax/m)·(g − meanG) − γ·r·gx/m·(a − meanA) − (x − mean)·r/m·[γ·(ag − 3·ax·gx/m) + w·gx]}
 *
 * Three arrays with coefficients of which any may be 0: three calls, since to draw one out would divide by it.
 */
function gradThroughStatistics(
  workspace: Workspace,
  saved: Saved,
  { meanG, meanA, gx, ax, ag }: Sums,
  { g, a, w, dx }: { g: Data; a: Data; w: Float64Array | null; dx: Data },
): void {
  const { channels, count, weight, invStd: r } = saved;
  const ofA = perChannel(channels, (c) => (-weight[c]! * r[c]! * gx[c]!) / count);
  const ofG = perChannel(channels, (c) => (w?.[c] ?? 0) - (weight[c]! * ax[c]!) / count);
  const slope = perChannel(channels, (c) => {
    const throughR = ag[c]! - (3 * ax[c]! * gx[c]!) / count;
    return (r[c]! / count) * (weight[c]! * throughR + (w?.[c] ?? 0) * gx[c]!);
  });
  affineMap(workspace, saved, { x: a, mean: meanA, weight: ofA }, null, dx);
  affineMap(workspace, saved, { x: g, mean: meanG, weight: ofG }, dx, dx);
  const coefficients = slopeCoefficients(workspace.control, saved, slope);
  applyGrads(workspace, saved, coefficients, { dy: dx, dx, dresidual: null });
}

/** What the other incoming gradients add to ddy: ddweight·r·(x − mean) + ddbias, and ddresidual. */
function addParameters(
  workspace: Workspace,
  saved: Saved,
  { ddx, ddweight, ddbias, ddresidual, ddy }: DoubleBackwardArrays,
): void {
  const { channels, mean, invStd } = saved;
  if (ddweight || ddbias) {
    const weight = perChannel(channels, (c) => (ddweight?.[c] ?? 0) * invStd[c]!);
    affineMap(workspace, saved, { x: saved.x, mean, weight, bias: ddbias }, ddx && ddy, ddy);
  }
  if (ddresidual) {
    const ones = new Float64Array(channels).fill(1);
    affineMap(workspace, saved, { x: ddresidual, mean: new Float64Array(channels), weight: ones }, ddy, ddy);
  }
}

/** Fills dx and ddy; returns the gradient to γ, r·Σa·(g − mean of g) − ax·gx/m. */
export function doubleBackward(workspace: Workspace, token: Saved, arrays: DoubleBackwardArrays): Float64Array {
  const { dy, ddx, ddweight, dx, ddy } = arrays;
  const { channels, count, frozen } = token;
  if (sizeOf(token) === 0) return new Float64Array(channels);
  // Behind the activation: its mask is a constant, put on dy first and on ddy last.
  const saved: Saved = { ...token, activation: "none", aux: null, auxIsOutput: false };
  const masked = token.activation !== "none";
  const g = masked ? allocate(token.dtype, sizeOf(token)) : dy;
  if (masked) maskGrads(workspace, token, dy, g);
  const sums = ddx && sumsOf(workspace, saved, g, ddx, ddy);
  if (sums && !frozen) gradThroughStatistics(workspace, saved, sums, { g, a: ddx, w: ddweight, dx });
  else if (ddweight) backward(workspace, { ...saved, weight: ddweight }, { dy: g, dx, dresidual: null }, INPUT);
  addParameters(workspace, saved, arrays);
  if (masked) maskGrads(workspace, token, ddy, ddy);
  return perChannel(channels, (c) => (sums ? sums.ag[c]! - (sums.ax[c]! * sums.gx[c]!) / count : 0));
}
