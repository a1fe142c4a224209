// Double backward: the gradients of what a backward computed. O(C) maths over the kernels that there are; nothing here
// rejects anything.
import { copyInto, zeros } from "../base/arrays.js";
import { after, type Later } from "../base/later.js";
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
import { round, type Data } from "../base/types.js";

/** Gradients of a loss with respect to the results of a backward; null counts as 0. */
export interface Incoming {
  readonly ddx: Data | null;
  readonly ddresidual: Data | null;
  readonly ddweight: Float64Array | null;
  readonly ddbias: Float64Array | null;
}

/** What goes in and out of a double backward: dx and ddy are its results, zeros unless `overwrites` says otherwise. */
export interface DoubleBackwardArrays extends Incoming {
  readonly dy: Data;
  readonly dx: Data;
  readonly ddy: Data;
}

/** Which results the first kernel that has to do with them overwrites, whatever was in them. */
export function overwrites(
  { fixedStatistics }: Saved,
  { ddx, ddweight, ddbias }: Incoming,
): { readonly dx: boolean; readonly ddy: boolean } {
  return {
    dx: ddweight !== null || (ddx !== null && !fixedStatistics),
    ddy: ddx !== null || ddweight !== null || ddbias !== null,
  };
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
function productSums({ kernels, control }: Workspace, x: Data, mean: Float64Array, a: Data): Later<Float64Array> {
  copyInto(control.fields.mean, mean);
  setActivation(control, "none");
  return after(kernels.gradSums(control, x, a, null), () => {
    const { sumG, sumGX } = control.fields;
    return perChannel(mean.length, (c) => centeredSum(control.isFloat32, mean[c]!, sumG[c]!, sumGX[c]!));
  });
}

function meanOf({ channels, count }: Saved, { sumG }: GradSums): Float64Array {
  return perChannel(channels, (c) => sumG[c]! / count);
}

/** All sums; ddy receives the part of gradGradOutput that comes from a, which is a backward of a. */
function sumsOf(workspace: Workspace, saved: Saved, g: Data, a: Data, ddy: Data): Later<Sums> {
  const { channels, invStd: r, fixedStatistics } = saved;
  const withProducts = (meanA: Float64Array, ax: Float64Array, meanG: Float64Array, gx: Float64Array): Later<Sums> =>
    after(productSums(workspace, g, meanG, a), (products) => {
      const ag = perChannel(channels, (c) => r[c]! * products[c]!);
      return { meanA, ax, meanG, gx, ag };
    });
  return after(inputGrads(workspace, saved, { dy: a, dx: ddy, dresidual: null }, INPUT), (ofA) => {
    if (fixedStatistics) {
      // These let neither g nor a through to x: what stands for their effect is 0.
      const none = zeros(channels);
      return withProducts(none, none, none, none);
    }
    const meanA = meanOf(saved, ofA);
    const ax = perChannel(channels, (c) => r[c]! * centeredSumOf(saved, ofA, c) * r[c]!);
    return after(sumGrads(workspace, saved, g), (ofG) => {
      const gx = perChannel(channels, (c) => centeredSumOf(saved, ofG, c) * r[c]!);
      return withProducts(meanA, ax, meanOf(saved, ofG), gx);
    });
  });
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
): Later<void> {
  const { channels, count, weight, invStd: r } = saved;
  const ofA = perChannel(channels, (c) => (-weight[c]! * r[c]! * gx[c]!) / count);
  const ofG = perChannel(channels, (c) => (w?.[c] ?? 0) - (weight[c]! * ax[c]!) / count);
  const slope = perChannel(channels, (c) => {
    const throughR = ag[c]! - (3 * ax[c]! * gx[c]!) / count;
    return (r[c]! / count) * (weight[c]! * throughR + (w?.[c] ?? 0) * gx[c]!);
  });
  const coefficients = slopeCoefficients(workspace.control, saved, slope);
  return after(affineMap(workspace, { mean: meanA, scale: ofA }, a, null, dx), () =>
    after(affineMap(workspace, { mean: meanG, scale: ofG }, g, dx, dx), () =>
      applyGrads(workspace, saved, coefficients, { dy: dx, dx, dresidual: null }),
    ),
  );
}

/** What the other incoming gradients add to ddy: ddweight·r·(x − mean) + ddbias, and ddresidual. */
function addOthers(workspace: Workspace, saved: Saved, arrays: DoubleBackwardArrays): Later<void> {
  const { ddresidual, ddy } = arrays;
  const added = addParameters(workspace, saved, arrays);
  if (!ddresidual) return added;
  const scale = perChannel(saved.channels, () => 1);
  return after(added, () => affineMap(workspace, { mean: zeros(saved.channels), scale }, ddresidual, ddy, ddy));
}

function addParameters(
  workspace: Workspace,
  { channels, mean, invStd, x }: Saved,
  { ddx, ddweight, ddbias, ddy }: DoubleBackwardArrays,
): Later<void> {
  if (!ddweight && !ddbias) return;
  const scale = perChannel(channels, (c) => (ddweight?.[c] ?? 0) * invStd[c]!);
  return affineMap(workspace, { mean, scale, shift: ddbias }, x, ddx && ddy, ddy);
}

/** Fills dx and ddy; returns the gradient to γ, r·Σa·(g − mean of g) − ax·gx/m. */
export function doubleBackward(workspace: Workspace, token: Saved, arrays: DoubleBackwardArrays): Later<Float64Array> {
  const { dy, ddy } = arrays;
  if (sizeOf(token) === 0) return zeros(token.channels);
  // Behind the activation: its mask is a constant, put on dy first and on ddy last.
  const saved: Saved = { ...token, activation: "none", residualOrOutput: null, holdsOutput: false };
  if (token.activation === "none") return behindActivation(workspace, saved, dy, arrays);
  const g = workspace.scratch(token.dtype, sizeOf(token));
  return after(maskGrads(workspace, token, dy, g), () =>
    after(behindActivation(workspace, saved, g, arrays), (ofWeight) =>
      after(maskGrads(workspace, token, ddy, ddy), () => ofWeight),
    ),
  );
}

/** The same without activation, of g in the place of dy. */
function behindActivation(
  workspace: Workspace,
  saved: Saved,
  g: Data,
  arrays: DoubleBackwardArrays,
): Later<Float64Array> {
  const { ddx: a, ddweight: w, dx, ddy } = arrays;
  const { channels, count, fixedStatistics } = saved;
  return after(a && sumsOf(workspace, saved, g, a, ddy), (sums) => {
    let ran: Later<unknown>;
    if (a && sums && !fixedStatistics) ran = gradThroughStatistics(workspace, saved, sums, { g, a, w, dx });
    else if (w) ran = inputGrads(workspace, { ...saved, weight: w }, { dy: g, dx, dresidual: null }, INPUT);
    return after(ran, () =>
      after(addOthers(workspace, saved, arrays), () =>
        perChannel(channels, (c) => (sums ? sums.ag[c]! - (sums.ax[c]! * sums.gx[c]!) / count : 0)),
      ),
    );
  });
}
