// The exactness contract (docs/contract.md), executable: plain JavaScript, one statement per rule,
// no cleverness. Every other backend is compared with it bit for bit; it is also the last fallback.
import { affineCoefficients, batchInvStd, gradCoefficients } from "./coefficients.js";
import { GROUP, Part, type Control } from "./control.js";
import type { Kernels } from "./kernels.js";
import { EMPTY, merge, type Moments } from "./moments.js";
import { blocksOf, eachColumn, eachValue, fold, lanesOf, sampleOf, type Block } from "./oracle-blocks.js";
import type { Data } from "./types.js";

const FAR = 0.5; // a first shift more than 0.7 deviations from the mean is too poor
const TINY = 2 ** -120; // below n·2^-120 a float32 sum of squares may have lost bits to underflow

/** Σd and Σd² of a block around the shift k; `wide` computes in float64 whatever the data's type. */
function shiftedSums(control: Control, x: Data, block: Block, k: number, wide: boolean): { S: number; Q: number } {
  const round = wide ? (value: number) => value : control.round;
  const s = lanesOf(control, wide);
  const q = lanesOf(control, wide);
  eachValue(block, (position, lane) => {
    const d = round(x[position]! - k);
    s[lane]! += d;
    q[lane]! += round(d * d);
  });
  return { S: fold(s), Q: fold(q) };
}

/** Clause 2: the shift of a group's first block, the mean of its sample, or its first value where that is not finite. */
function firstShift(control: Control, x: Data, block: Block): number {
  const sample = sampleOf(block, x);
  const mean = control.round(fold(sample) / sample.length);
  return Number.isFinite(mean) ? mean : x[block.start]!;
}

/** Clause 2: moments of one block around the shift k, with the second pass and the escape. */
function blockMoments(control: Control, x: Data, block: Block, first: boolean, k: number, wide = false): Moments {
  const count = block.runs * block.length;
  if (wide && !Number.isFinite(k)) return { count, mean: NaN, m2: NaN };
  let shift = k;
  for (let attempt = 1; ; attempt++) {
    const { S, Q } = shiftedSums(control, x, block, shift, wide);
    const lost = !Number.isFinite(S) || !Number.isFinite(Q) || (Q < count * TINY && !(S === 0 && Q === 0));
    if (lost && !wide && control.dtype === "float32") return blockMoments(control, x, block, first, k, true);
    const u = S / count;
    const e = S * u;
    const m2 = Q - e;
    if (attempt === 2 || !first || !(e > FAR * m2)) return { count, mean: shift + u, m2: m2 < 0 ? 0 : m2 };
    shift = control.round(shift + u);
  }
}

/** Clause 3. */
function moments(control: Control, x: Data): void {
  const [totalMean, totalM2, groupMean, groupM2] = control.state as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const { mean, m2 } = control.fields;
  const begin = (control.get("part") & Part.first) !== 0;
  const end = (control.get("part") & Part.last) !== 0;
  const earlier = begin
    ? { block: 0, group: 0, total: 0 }
    : { block: control.get("block"), group: control.get("groupCount"), total: control.get("totalCount") };
  const results: Moments[] = new Array<Moments>(control.extent.channels).fill(EMPTY);
  eachColumn(control, (channel, column) => {
    let number = earlier.block;
    let total: Moments = { count: earlier.total, mean: totalMean[column]!, m2: totalM2[column]! };
    let group: Moments = { count: earlier.group, mean: groupMean[column]!, m2: groupM2[column]! };
    for (const block of blocksOf(control, column)) {
      const first = number % GROUP === 0;
      if (first) {
        total = merge(total, group);
        group = EMPTY;
      }
      const k = first ? firstShift(control, x, block) : control.round(group.mean);
      group = merge(group, blockMoments(control, x, block, first, k));
      number++;
    }
    totalMean[column] = total.mean;
    totalM2[column] = total.m2;
    groupMean[column] = group.mean;
    groupM2[column] = group.m2;
    control.set("block", number);
    control.set("totalCount", total.count);
    control.set("groupCount", group.count);
    if (end) results[channel] = merge(results[channel]!, merge(total, group));
  });
  if (end)
    results.forEach((result, c) => {
      mean[c] = result.mean;
      m2[c] = result.m2;
    });
}

/** The affine map of one element before the activation: every operation rounds to the data's type. */
function affine(control: Control, c: number, value: number, residual: number | null): number {
  const { center, scale, shift } = control.fields;
  const { round } = control;
  const z = round(round(round(value - center[c]!) * scale[c]!) + shift[c]!);
  return residual === null ? z : round(z + residual);
}

/** g: dy, or 0 where ReLU's output y ≤ 0. A NaN output passes dy. */
function maskedGrad(control: Control, c: number, x: Data, dy: Data, aux: Data | null, p: number): number {
  if (!control.has("relu")) return dy[p]!;
  const y = control.has("auxIsOutput") ? aux![p]! : affine(control, c, x[p]!, aux && aux[p]!);
  return y <= 0 ? 0 : dy[p]!;
}

function eachElement({ extent }: Control, visit: (c: number, position: number) => void): void {
  const { outer, channels, inner } = extent;
  for (let o = 0, p = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < inner; i++, p++) visit(c, p);
    }
  }
}

function normalize(control: Control, x: Data, y: Data, residual: Data | null): void {
  const relu = control.has("relu");
  eachElement(control, (c, p) => {
    const z = affine(control, c, x[p]!, residual && residual[p]!);
    y[p] = relu && z < 0 ? 0 : z;
  });
}

/** Clause 4: Σg and Σg·(x − center) of one block. */
function blockGradSums(
  control: Control,
  c: number,
  x: Data,
  dy: Data,
  aux: Data | null,
  block: Block,
  wide: boolean,
): { S: number; U: number } {
  const round = wide ? (value: number) => value : control.round;
  const center = control.fields.center[c]!;
  const s = lanesOf(control, wide);
  const u = lanesOf(control, wide);
  eachValue(block, (position, lane) => {
    const g = maskedGrad(control, c, x, dy, aux, position);
    const d = round(x[position]! - center);
    s[lane]! += g;
    u[lane]! += round(g * d);
  });
  const S = fold(s);
  const U = fold(u);
  const lost = control.dtype === "float32" && !wide && !(Number.isFinite(S) && Number.isFinite(U));
  return lost ? blockGradSums(control, c, x, dy, aux, block, true) : { S, U };
}

function gradSums(control: Control, x: Data, dy: Data, aux: Data | null): void {
  const [totalS, totalU, groupS, groupU] = control.state as [Float64Array, Float64Array, Float64Array, Float64Array];
  const { sumG, sumGX } = control.fields;
  const begin = (control.get("part") & Part.first) !== 0;
  const end = (control.get("part") & Part.last) !== 0;
  const earlier = begin ? 0 : control.get("block");
  if (begin) for (const state of control.state) state.fill(0);
  if (end) {
    sumG.fill(0);
    sumGX.fill(0);
  }
  eachColumn(control, (channel, column) => {
    let number = earlier;
    for (const block of blocksOf(control, column)) {
      if (number % GROUP === 0) {
        totalS[column]! += groupS[column]!;
        totalU[column]! += groupU[column]!;
        groupS[column] = groupU[column] = 0;
      }
      const { S, U } = blockGradSums(control, channel, x, dy, aux, block, false);
      groupS[column]! += S;
      groupU[column]! += U;
      number++;
    }
    control.set("block", number);
    if (end) {
      sumG[channel]! += totalS[column]! + groupS[column]!;
      sumGX[channel]! += totalU[column]! + groupU[column]!;
    }
  });
}

function gradInput(control: Control, x: Data, dy: Data, dx: Data, aux: Data | null, dresidual: Data | null): void {
  const { center, gradShift, gradSlope, gradScale } = control.fields;
  const { round } = control;
  const frozen = control.has("frozen");
  eachElement(control, (c, p) => {
    const g = maskedGrad(control, c, x, dy, aux, p);
    if (dresidual) dresidual[p] = g;
    const inner = frozen ? g : round(round(g - gradShift[c]!) - round(round(x[p]! - center[c]!) * gradSlope[c]!));
    dx[p] = round(inner * gradScale[c]!);
  });
}

function forward(control: Control, x: Data, y: Data, residual: Data | null): void {
  moments(control, x);
  batchInvStd(control);
  affineCoefficients(control);
  normalize(control, x, y, residual);
}

function backward(control: Control, x: Data, dy: Data, dx: Data, aux: Data | null, dresidual: Data | null): void {
  gradSums(control, x, dy, aux);
  gradCoefficients(control);
  gradInput(control, x, dy, dx, aux, dresidual);
}

/** The reference backend. */
export const oracle: Kernels = { moments, normalize, gradSums, gradInput, forward, backward };
