// A case of the fuzzer, drawn from a seed: a case of the kernels (src/verify/cases.ts), and what the public calls add to it.
import type { BatchNormOptions, ModeOptions } from "../../src/index.js";
import { Kind as ActivationKind } from "../../src/kernels/layout.js";
import { DTYPES } from "../../src/base/types.js";
import type { Extent } from "../../src/kernels/control.js";
import { VALUES, caseOf, sizeOf, type Case } from "../../src/verify/cases.js";
import { KINDS, random } from "../../src/verify/data.js";

/** What is called: a layer's methods, the functions without one, the parts of synchronized training, or micro-batches. */
export const FORMS = ["layer", "functions", "parts", "micro-batches"] as const;
/** Where statistics come from: the batch's own, running ones in a layer after eval() or frozen, or a given table. */
export const MODES = ["training", "eval", "frozen"] as const;
export const WEIGHTINGS = [
  "none",
  "mask",
  "mask of samples",
  "weights",
  "weights of samples",
  "both",
  "lists",
] as const;
/** What memory arrays are in: arrays of their own, an arena, an arena in which others come and go, or one in a memory lent. */
export const PLACES = ["guarded", "shared", "arena", "arena with gaps", "arena of threads", "lent memory"] as const;
/** What a shape is given as. */
export const SHAPES = ["Array", "Int32Array", "Float64Array"] as const;

export interface FuzzCase extends Case {
  readonly seed: number;
  readonly form: (typeof FORMS)[number];
  readonly mode: (typeof MODES)[number];
  readonly weighting: (typeof WEIGHTINGS)[number];
  readonly place: (typeof PLACES)[number];
  readonly maskedOutput: "normalize" | "zero";
  readonly shape: readonly number[];
  readonly shapeKind: (typeof SHAPES)[number];
  /** With a PReLU: one slope for all channels. */
  readonly sharesSlope: boolean;
  /** Where the channels are, as the option says it. */
  readonly where: Pick<BatchNormOptions, "layout" | "axis">;
  readonly momentum: number | null;
  readonly singleValue: NonNullable<BatchNormOptions["singleValue"]>;
  readonly trackRunningStats: boolean;
  readonly reuse: boolean;
  /** Forwards and backwards of the layer, one after the other, each on other data. */
  readonly steps: number;
  readonly need: Readonly<Record<"input" | "weight" | "bias" | "slope" | "residual", boolean>>;
  readonly accumulate: boolean;
  readonly doubleBackward: boolean;
  readonly threads: number;
  readonly correction: 0 | 1;
  readonly onNonFinite: NonNullable<BatchNormOptions["onNonFinite"]>;
  readonly renorm: BatchNormOptions["renorm"];
  readonly cut: Pick<BatchNormOptions, "virtualBatchSize" | "virtualBatches">;
  /** Which of γ and β a forward is given for each sample. */
  readonly conditional: readonly ("weight" | "bias")[];
  /** Options of a layer's forward; those that exclude each other with its mode are refused on every backend. */
  readonly asked: ModeOptions;
}

/** The activations of a user that are no rectifiers. */
const CURVES = Object.values(ActivationKind).filter(
  (kind) => kind !== ActivationKind.rectifier && kind !== ActivationKind.slopeGradient,
);

/** One of several choices. */
export type One = <T>(...choices: readonly T[]) => T;

/** Most cases are small, for there to be many; few are as large as threads share. */
const BUDGETS = [2 ** 9, 2 ** 12, 2 ** 12, 2 ** 12, 2 ** 15];
const SHARED_BUDGET = 2 ** 19;

/** Up to 15, which fill the most slots. */
const FEW_COLUMNS = [
  { channels: 15, inner: 1 },
  { channels: 5, inner: 3 },
  { channels: 1, inner: 15 },
  { channels: 7, inner: 2 },
  { channels: 3, inner: 1 },
];

/** An extent beside the edge of a block of its traversal, or of the rows that kernels copy together. */
function edgeOf(next: () => number, one: One): Extent {
  const beside = (edge: number): number => edge + Math.floor(33 * next()) - 16;
  const [few, rows, planes] = [
    (): Extent => ({ outer: beside(one(128, 256, 384)), ...one(...FEW_COLUMNS) }),
    (): Extent => ({ outer: beside(128), channels: beside(one(32, 64)), inner: 1 }),
    (): Extent => ({ outer: one(1, 2, 3), channels: one(1, 2), inner: beside(one(512, 1024, 2048)) }),
  ];
  return one(few, rows, planes)();
}

function extentOf(next: () => number, one: One): Extent {
  if (next() < 0.1) return edgeOf(next, one);
  const budget = next() < 0.005 ? SHARED_BUDGET : one(...BUDGETS);
  const length = (values: readonly number[], most: number): number =>
    next() < 0.4 ? one(...values) : 1 + Math.floor(next() ** 3 * most);
  const extent = {
    outer: length(VALUES.outer, 300),
    channels: length(VALUES.channels, 80),
    inner: next() < 0.3 ? 1 : length(VALUES.inner, 400),
  };
  // The largest is halved until all fit: what is left is no power of two.
  while (sizeOf(extent) > budget) {
    const largest = (["outer", "channels", "inner"] as const).reduce((a, b) => (extent[b] > extent[a] ? b : a));
    extent[largest] = Math.ceil(extent[largest] / 2);
  }
  return next() < 0.01 ? { ...extent, [one("outer", "inner")]: 0 } : extent;
}

/** A number as a product of so many sizes. */
function factors(number: number, count: number, one: One): number[] {
  if (count <= 1) return count === 1 ? [number] : [];
  const divisors = Array.from({ length: Math.min(number, 64) }, (_, i) => i + 1).filter((size) => number % size === 0);
  const size = number === 0 ? one(0, 1, 3) : one(...divisors);
  return [size, ...factors(size === 0 ? one(0, 2) : number / size, count - 1, one)];
}

type Where = FuzzCase["where"];

/** The ways to say that the channels are these axes of so many. */
function namesOf(first: number, count: number, rank: number): Where[] {
  const isLast = first + count === rank;
  const ofAll: Where[] = first === 1 && isLast ? [{ layout: "per-activation" }] : [];
  if (count > 1) return [{ axis: Array.from({ length: count }, (_, i) => first + i) }, ...ofAll];
  const ofFirst: Where[] = first === 1 ? [{}, { layout: "channels-first" }] : [];
  return [
    { axis: first },
    { axis: first - rank },
    ...ofFirst,
    ...(isLast ? [{ layout: "channels-last" } as const] : []),
    ...ofAll,
  ];
}

/** The extent as a shape of any rank, and the options that name its channels. */
function shapeOf({ outer, channels, inner }: Extent, one: One): Pick<FuzzCase, "shape" | "where"> {
  const before = factors(outer, outer === 1 ? one(0, 1) : one(1, 1, 2), one);
  const among = factors(channels, one(1, 1, 1, 2), one);
  const after = factors(inner, inner === 1 ? one(0, 0, 1) : one(1, 2, 3), one);
  const [first, ...others] = among;
  if (others.length > 0 && after.length > 0 && one(true, false)) {
    // An axis that is no channel axis lies between the channel axes.
    const axis = [before.length, ...others.map((_, i) => before.length + 2 + i)];
    return { shape: [...before, first!, after[0]!, ...others, ...after.slice(1)], where: { axis } };
  }
  const shape = [...before, ...among, ...after];
  return { shape, where: one(...namesOf(before.length, among.length, shape.length)) };
}

/** The same case from the same seed, everywhere. */
export function drawCase(seed: number, drawExtent = extentOf): FuzzCase {
  const next = random(seed);
  const one: One = (...choices) => choices[Math.floor(next() * choices.length)]!;
  const chance = (probability: number): boolean => next() < probability;
  const extent = drawExtent(next, one);
  const plain = caseOf(
    seed,
    extent,
    Math.floor(next() * 1000) * KINDS.length + Math.floor(next() * KINDS.length),
    next,
  );
  const form = one("layer", "layer", "layer", "functions", "functions", "parts", "parts", "micro-batches");
  const activationKind = plain.activation && chance(0.5) ? one(...CURVES) : ActivationKind.rectifier;
  const isCurve = activationKind !== ActivationKind.rectifier;
  return {
    ...plain,
    ...shapeOf(extent, one),
    activationKind,
    // The output of a curve stands for nothing else: that is refused, once in a while.
    fromOutput: plain.fromOutput && (!isCurve || chance(0.1)),
    sharesSlope: chance(0.3),
    seed,
    dtype: one(...DTYPES),
    form,
    mode: plain.fixed ? one("eval", "frozen") : "training",
    weighting: chance(0.5) ? "none" : one(...WEIGHTINGS),
    place: one(...PLACES),
    maskedOutput: one("normalize", "zero"),
    momentum: one(0.1, 0, 1, 0.5, null),
    singleValue: one("allow", "error", "running", "skip"),
    trackRunningStats: plain.fixed || chance(0.9),
    reuse: chance(0.3),
    steps: one(1, 2, 3),
    need: { input: chance(0.8), weight: chance(0.8), bias: chance(0.8), slope: chance(0.8), residual: chance(0.8) },
    accumulate: chance(0.3),
    doubleBackward: chance(0.3),
    threads: one(1, 2, 3),
    shapeKind: one(...SHAPES),
    correction: one(0, 1),
    onNonFinite: one("propagate", "propagate", "skip", "throw"),
    renorm: chance(0.2) ? { rMax: one(1, 1.5, Infinity), dMax: one(0, 0.5, Infinity) } : undefined,
    cut: chance(0.15) ? { virtualBatchSize: one(1, 2, 3, 8), virtualBatches: one("contiguous", "interleaved") } : {},
    conditional: chance(0.15) ? one<readonly ("weight" | "bias")[]>(["weight"], ["bias"], ["weight", "bias"]) : [],
    asked: {
      ...(chance(0.2) && { updateRunningStats: one<boolean | "later">(false, true, "later") }),
      ...(chance(0.1) && { statistics: one<"batch" | "running">("batch", "running") }),
    },
  };
}
