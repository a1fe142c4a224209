// The kernel cases: boundary shapes in which every pair of values meets, each with data and options.
// Deterministic.
import { traversalOf, type Extent } from "../kernels/control.js";
import { Kind as ActivationKind, Traversal } from "../kernels/layout.js";
import type { DType } from "../base/types.js";
import { KINDS, random, type Kind } from "./data.js";
import { WEIGHT_KINDS, type WeightKind } from "./position-weights.js";

/** Around a lane count, a vector, a cache line, a row block and a plane block, and what networks use. */
export const VALUES = {
  inner: [1, 2, 7, 8, 9, 15, 16, 17, 49, 511, 512, 513, 2047, 2048, 2049, 3136],
  channels: [1, 2, 3, 8, 15, 16, 17, 64, 257],
  outer: [1, 2, 33, 129, 2050, 4097],
} as const satisfies Record<keyof Extent, readonly number[]>;

export const MAX_ELEMENTS = 2 ** 20;

/** More than one group of 32 blocks where the boundary values stay below: the traversal with few columns. */
const GROUPED: readonly Extent[] = [
  { outer: 33 * 2048 + 5, channels: 1, inner: 1 },
  { outer: 32 * 2048, channels: 3, inner: 1 },
  { outer: 33 * 2048 - 1, channels: 2, inner: 7 },
  { outer: 32 * 2048 + 1, channels: 15, inner: 1 },
];

export interface Case {
  readonly index: number;
  readonly extent: Extent;
  readonly traversal: Traversal;
  readonly dtype: DType;
  readonly kind: Kind;
  readonly eps: number;
  /** Statistics that do not depend on x. */
  readonly fixed: boolean;
  /** γ. */
  readonly weight: boolean;
  /** β. */
  readonly bias: boolean;
  /** Of positions. */
  readonly w: WeightKind;
  readonly activation: boolean;
  readonly residual: boolean;
  /** With an activation: that of a leaky ReLU, or 0. */
  readonly slope: number;
  /** With an activation: which one. All but a rectifier recompute the output in backward. */
  readonly activationKind: ActivationKind;
  /** With an activation: the backward mask reads the stored output instead of recomputing it. */
  readonly holdsY: boolean;
  /** With a slope and the stored output: backward has no x, which it makes of that. */
  readonly fromOutput: boolean;
  readonly dresidual: boolean;
  /** Elements by which the arrays are moved off their alignment, each array differently; 0: none. */
  readonly offset: number;
  /** The input that the output overwrites. */
  readonly forwardInPlace: "no" | "x" | "residual";
  readonly backwardInPlace: "no" | "dy" | "x";
}

type Axis = keyof typeof VALUES;
const AXES: readonly (readonly [Axis, Axis, Axis])[] = [
  ["inner", "channels", "outer"],
  ["inner", "outer", "channels"],
  ["channels", "outer", "inner"],
];
const SLOPES = [0, 0.01, 0, 0.3, 0];
const CURVES = Object.values(ActivationKind).filter((kind) => kind !== ActivationKind.rectifier);
const UNIT: Extent = { outer: 1, channels: 1, inner: 1 };

/** "inner 49, outer 33" for each of the three pairs of values that an extent meets. */
export function pairsOf(extent: Extent): string[] {
  return AXES.map(([a, b]) => `${a} ${extent[a]}, ${b} ${extent[b]}`);
}

export function sizeOf({ outer, channels, inner }: Extent): number {
  return outer * channels * inner;
}

/** For every pair of values, the extents that meet it, smallest first. */
export function pairs(): Map<string, Extent[]> {
  const result = new Map<string, Extent[]>();
  for (const [a, b, third] of AXES) {
    for (const first of VALUES[a]) {
      for (const second of VALUES[b]) {
        const extents = VALUES[third].map((value) => ({ ...UNIT, [a]: first, [b]: second, [third]: value }));
        result.set(`${a} ${first}, ${b} ${second}`, extents);
      }
    }
  }
  return result;
}

/** Largest pair first; each with the third value that meets most pairs not yet met. Small where the pair allows. */
function coveringExtents(): Extent[] {
  const met = new Set<string>();
  const result: Extent[] = [];
  const gain = (extent: Extent): number => pairsOf(extent).filter((pair) => !met.has(pair)).length;
  for (const [pair, extents] of [...pairs()].sort((a, b) => sizeOf(b[1][0]!) - sizeOf(a[1][0]!))) {
    const smallest = sizeOf(extents[0]!);
    if (met.has(pair) || smallest > MAX_ELEMENTS) continue;
    const allowed = extents.filter((extent) => sizeOf(extent) <= Math.max(smallest, 2 ** 17));
    const best = allowed.reduce((a, b) => (gain(b) > gain(a) ? b : a));
    pairsOf(best).forEach((name) => met.add(name));
    result.push(best);
  }
  return result;
}

const ALL: readonly Extent[] = VALUES.outer.flatMap((outer) =>
  VALUES.channels.flatMap((channels) => VALUES.inner.map((inner) => ({ outer, channels, inner }))),
);

/** At least three blocks in a channel, so that the data's kind can show itself. */
function isLong({ outer, channels, inner }: Extent): boolean {
  return outer * inner > (traversalOf({ outer, channels, inner }) === Traversal.rows ? 256 * inner : 4096);
}

/** The covering shapes of one traversal; every kind and type on a long channel; then any, up to `count`. */
function extentsOf(traversal: Traversal, covering: readonly Extent[], count: number, next: () => number): Extent[] {
  const all = ALL.filter((extent) => traversalOf(extent) === traversal);
  const long = all.filter((extent) => isLong(extent) && sizeOf(extent) <= 2 ** 17);
  const small = all.filter((extent) => sizeOf(extent) <= 2 ** 14);
  const pick = (from: readonly Extent[]): Extent => from[Math.floor(next() * from.length)]!;
  const result = [...covering, ...GROUPED].filter((extent) => traversalOf(extent) === traversal);
  for (let i = 0; i < 2 * KINDS.length; i++) result.push(pick(long));
  while (result.length < count) result.push(pick(small));
  return result;
}

/** A case of this shape; `number` decides its kind of data and its type, `next` its options. */
export function caseOf(index: number, extent: Extent, number: number, next: () => number): Case {
  const one = <T>(...values: readonly T[]): T => values[Math.floor(next() * values.length)]!;
  const activation = one(true, false);
  const residual = one(true, false);
  const kind = KINDS[number % KINDS.length]!;
  // The sign of a zero reaches y only through γ < 0, β = −0 and a finite γ·r.
  const signs = kind === "negativeZero";
  const holdsY = activation && one(true, false);
  const slope = activation ? SLOPES[number % SLOPES.length]! : 0;
  return {
    index,
    extent,
    traversal: traversalOf(extent),
    activation,
    residual,
    kind,
    dtype: Math.floor(number / KINDS.length) % 2 === 0 ? "float32" : "float64",
    eps: one(1e-5, 1e-5, 1e-3, signs ? 1e-3 : 0),
    fixed: one(true, false, false),
    weight: one(true, true, false) || signs || kind === "zeroWeight",
    bias: one(true, true, false) || signs,
    w: WEIGHT_KINDS[index % WEIGHT_KINDS.length]!,
    slope,
    activationKind: ActivationKind.rectifier,
    holdsY,
    fromOutput: holdsY && slope > 0 && number % 2 === 0,
    dresidual: residual && one(true, false),
    offset: one(0, 1, 2, 3, 5, 15),
    forwardInPlace: one("no", "no", "x", residual ? "residual" : "x"),
    backwardInPlace: one("no", "no", "dy", "x"),
  };
}

/** Where r is 0 (contract, clause 4): channels that are constant without ε, and no position of any weight. */
const DEGENERATE = {
  extents: [
    { outer: 7, channels: 5, inner: 17 },
    { outer: 131, channels: 9, inner: 2 },
    { outer: 33, channels: 3, inner: 1 },
  ],
  options: [
    { kind: "constant", eps: 0, w: "uniform", fixed: false },
    { kind: "constant", eps: 0, w: "zero", fixed: false },
    { kind: "gaussian", eps: 1e-5, w: "zero", fixed: false },
  ],
} as const;

function degenerateCases(from: number, next: () => number): Case[] {
  const { extents, options } = DEGENERATE;
  const all = extents.flatMap((extent) =>
    (["float32", "float64"] as const).flatMap((dtype) => options.map((option) => ({ extent, dtype, option }))),
  );
  return all.map(({ extent, dtype, option }, i) => ({ ...caseOf(from + i, extent, i, next), dtype, ...option }));
}

function build(): Case[] {
  const next = random(20261123);
  const covering = coveringExtents();
  const result: Case[] = [];
  for (const traversal of [Traversal.planes, Traversal.rows, Traversal.fewColumns]) {
    extentsOf(traversal, covering, 220, next).forEach((extent, number) => {
      result.push(caseOf(result.length, extent, number, next));
    });
  }
  return [...result, ...degenerateCases(result.length, next)];
}

export const cases: readonly Case[] = build();

/** Cases of up to 2^15 elements in the 16-bit types. */
export const halfCases: readonly Case[] = cases
  .filter(({ extent, dtype }) => dtype === "float32" && sizeOf(extent) <= 2 ** 15)
  .map((one, i) => ({ ...one, dtype: i % 2 === 0 ? "float16" : "bfloat16" }));

/**
 * Cases of up to 2^15 elements with the activations that are no rectifiers, of every element type. They are in no digest: they
 * came later than that of this contract.
 */
export const curveCases: readonly Case[] = [...cases, ...halfCases]
  .filter(({ extent, activation }) => activation && sizeOf(extent) <= 2 ** 15)
  .map((one, i) => ({
    ...one,
    activationKind: CURVES[i % CURVES.length]!,
    slope: 0,
    holdsY: false,
    fromOutput: false,
  }));

/** The case in one line, for the message of a failure. */
export function describeCase(one: Case): string {
  const { outer, channels, inner } = one.extent;
  const options = (
    ["fixed", "weight", "bias", "activation", "slope", "residual", "holdsY", "fromOutput", "dresidual"] as const
  ).filter((name) => one[name]);
  return (
    `case ${one.index} (${outer}×${channels}×${inner} ${one.dtype} ${one.kind}, weights ${one.w}, eps ${one.eps}, ` +
    `${one.activationKind === ActivationKind.rectifier ? "" : `curve ${one.activationKind}, `}offset ${one.offset}, in place ${one.forwardInPlace}/${one.backwardInPlace}, ${options.join(" ")})`
  );
}
