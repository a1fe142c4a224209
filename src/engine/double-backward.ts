// Double backward: the gradients of what a backward computed. O(C) maths over the kernels that there are; nothing here
// rejects anything.
import { copyInto, zeros } from "../base/arrays.js";
import { now } from "../base/later.js";
import { centeredSum } from "../kernels/coefficients.js";
import type { Control } from "../kernels/control.js";
import { setActivation } from "./activation.js";
import { affineMap } from "./affine-map.js";
import {
  applyGrads,
  centeredSumOf,
  inputGrads,
  maskGrads,
  sumGrads,
  type GradCoefficients,
  type GradSums,
} from "./backward.js";
import type { Workspace } from "./workspace.js";
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

const INPUT = { input: true, weight: false, bias: false, slope: false, residual: false } as const;

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

/** Σa·(x − mean) per channel, of any two arrays. */
function productSums({ kernels, control }: Workspace, x: Data, mean: Float64Array, a: Data): Float64Array {
  copyInto(control.fields.mean, mean);
  setActivation(control, "none");
  now(kernels.gradSums(control, x, a, null));
  const { sumG, sumGX } = control.fields;
  return perChannel(mean.length, (c) => centeredSum(control.isFloat32, mean[c]!, sumG[c]!, sumGX[c]!));
}

/** All sums; ddy receives the part of gradGradOutput that comes from a, which is a backward of a. */
function sumsOf(workspace: Workspace, saved: Saved, g: Data, a: Data, ddy: Data): Sums {
  const { channels, count, invStd: r, fixedStatistics } = saved;
  const meanOf = ({ sumG }: GradSums): Float64Array => perChannel(channels, (c) => sumG[c]! / count);
  const zeros: Float64Array = new Float64Array(channels);
  // Fixed statistics let neither g nor a through to x: what stands for their effect is 0.
  let meanA = zeros;
  let ax = zeros;
  let meanG = zeros;
  let gx = zeros;
  const ofA = now(inputGrads(workspace, saved, { dy: a, dx: ddy, dresidual: null }, INPUT));
  if (!fixedStatistics) {
    meanA = meanOf(ofA);
    ax = perChannel(channels, (c) => r[c]! * centeredSumOf(saved, ofA, c) * r[c]!);
    const ofG = now(sumGrads(workspace, saved, g));
    meanG = meanOf(ofG);
    gx = perChannel(channels, (c) => centeredSumOf(saved, ofG, c) * r[c]!);
  }
  const products = productSums(workspace, g, meanG, a);
  return { meanA, ax, meanG, gx, ag: perChannel(channels, (c) => r[c]! * products[c]!) };
}

/** Coefficients of dx = (u − (s + (x − center)·t))·r. */
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
  affineMap(workspace, { mean: meanA, scale: ofA }, a, null, dx);
  affineMap(workspace, { mean: meanG, scale: ofG }, g, dx, dx);
  const coefficients = slopeCoefficients(workspace.control, saved, slope);
  now(applyGrads(workspace, saved, coefficients, { dy: dx, dx, dresidual: null }));
}

/** What the other incoming gradients add to ddy: ddweight·r·(x − mean) + ddbias, and ddresidual. */
function addParameters(
  workspace: Workspace,
  saved: Saved,
  { ddx, ddweight, ddbias, ddresidual, ddy }: DoubleBackwardArrays,
): void {
  const { channels, mean, invStd } = saved;
  if (ddweight || ddbias) {
    const scale = perChannel(channels, (c) => (ddweight?.[c] ?? 0) * invStd[c]!);
    affineMap(workspace, { mean, scale, shift: ddbias }, saved.x, ddx && ddy, ddy);
  }
  if (ddresidual) {
    const scale = perChannel(channels, () => 1);
    affineMap(workspace, { mean: new Float64Array(channels), scale }, ddresidual, ddy, ddy);
  }
}

/** Fills dx and ddy; returns the gradient to γ, r·Σa·(g − mean of g) − ax·gx/m. */
export function doubleBackward(workspace: Workspace, token: Saved, arrays: DoubleBackwardArrays): Float64Array {
  const { dy, ddx, ddweight, dx, ddy } = arrays;
  const { channels, count, fixedStatistics } = token;
  if (sizeOf(token) === 0) return zeros(channels);
  // Behind the activation: its mask is a constant, put on dy first and on ddy last.
  const saved: Saved = { ...token, activation: "none", residualOrOutput: null, holdsOutput: false };
  const masked = token.activation !== "none";
  const g = masked ? allocate(token.dtype, sizeOf(token)) : dy;
  if (masked) now(maskGrads(workspace, token, dy, g));
  const sums = ddx && sumsOf(workspace, saved, g, ddx, ddy);
  if (sums && !fixedStatistics) gradThroughStatistics(workspace, saved, sums, { g, a: ddx, w: ddweight, dx });
  else if (ddweight) now(inputGrads(workspace, { ...saved, weight: ddweight }, { dy: g, dx, dresidual: null }, INPUT));
  addParameters(workspace, saved, arrays);
  if (masked) now(maskGrads(workspace, token, ddy, ddy));
  return perChannel(channels, (c) => (sums ? sums.ag[c]! - (sums.ax[c]! * sums.gx[c]!) / count : 0));
}
