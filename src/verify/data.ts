// Seeded test data, by the name of what it provokes. Every operation rounds as IEEE 754 says, so that all machines
// have the same bits: no Math.sin, .log or .pow, and ** of whole exponents only.
import type { Extent } from "../kernels/control.js";
import { allocate, type ArrayOf, type FloatType as DType } from "../base/types.js";

/** Uniform in [0, 1); `bits` draws it as the 32 bits it is made of. */
export interface Random {
  (): number;
  readonly bits: () => number;
}

/** The same sequence everywhere (mulberry32). */
export function random(seed: number): Random {
  let state = seed | 0;
  const bits = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return t ^ (t >>> 14);
  };
  return Object.assign(() => (bits() >>> 0) / 2 ** 32, { bits });
}

/**
 * Standard normal, nearly: sums of 12 uniforms less 6. Exact, unlike logarithms and sines, which round differently from
 * machine to machine; so these are also the bits of scripts/torch/generator.py.
 */
export function gaussian({ bits }: Random): () => number {
  return () => {
    // By halves in integers: an emulator takes half the time.
    let high = 0;
    let low = 0;
    for (let i = 0; i < 12; i++) {
      const word = bits();
      high += word >>> 16;
      low += word & 0xffff;
    }
    return (high * 2 ** 16 + low) / 2 ** 32 - 6;
  };
}

/** Where a value stands: channel c, the t-th of its `length` values; `index` in the array. */
interface Site {
  readonly c: number;
  readonly t: number;
  readonly index: number;
}

interface Context {
  readonly dtype: DType;
  readonly channels: number;
  /** Values per channel. */
  readonly length: number;
  readonly normal: () => number;
}

type Source = (site: Site, context: Context) => number;

/** 1, 2, 3: the channels to be made huge, tiny, and close to the largest number; 0: the others. */
function role(c: number, channels: number): number {
  return channels < 8 ? (c + channels) % 4 : Math.max(0, (c % 16) - 4) % 4;
}

/** Overflows and underflows when squared, in its type. */
const EXTREME = {
  float32: { huge: 1e30, tiny: 1e-30, largest: 3e38, smallest: 2 ** -149, brink: 4e-18 },
  float64: { huge: 1e200, tiny: 1e-200, largest: 1.5e308, smallest: 2 ** -1074, brink: 4e-150 },
} as const;

/** Period 1, between −1 and 1: parabolas in the place of a sine, which rounds differently from machine to machine. */
function wave(phase: number): number {
  const u = 2 * (phase - Math.floor(phase));
  return u < 1 ? 4 * u * (1 - u) : 4 * (u - 1) * (u - 2);
}

const smooth: Source = ({ c, t }, { normal }) => wave(t / 2100 + c / 6) + 0.2 * wave(t / 125) + 0.01 * normal();

/** Sparse sites that move with the channel; the first value of every fifth channel among them. */
function isRare({ c, t }: Site, { length }: Context): boolean {
  return c % 5 === 0 ? t === 0 : c % 2 === 1 && t === (c * 37 + 11) % length;
}

const SOURCES = {
  /** Blocks of no power of two repeat alike: a swapped, shifted or missed one shows. */
  primeCycle: ({ index }) => ((index % 251) - 125) / 8,
  gaussian: ({ c }, { normal }) => (c % 5) - 2 + normal(),
  smooth,
  smoothRelu: (site, context) => Math.max(0, smooth(site, context)),
  /** Mean/std 1e6. */
  farMean: (_, { normal }) => 1e6 + normal(),
  /** A useless first shift: the second pass. */
  outlierFirst: ({ t }, { normal }) => (t === 0 ? 1e4 : normal()),
  /** The escape to float64 sums, for neighbours of ordinary channels. */
  extremeChannels: ({ c }, { dtype, channels, normal }) => {
    const { huge, tiny, largest } = EXTREME[dtype];
    const value = normal();
    return [value, value * huge, value * tiny, Math.sign(value) * largest][role(c, channels)]!;
  },
  /** The escape in single blocks of ordinary channels. */
  extremeValues: ({ c, t }, { dtype, length, normal }) => {
    const value = normal();
    return t === Math.floor(length * 0.6) && c % 3 === 0 ? value * EXTREME[dtype].huge : value;
  },
  /**
   * Sums that escape only in the second pass: where a sample of the block holds nothing but the one large value in
   * 32, squares around it just hold, those around the mean do not. The others keep float64 from being exact.
   */
  brink: ({ t }, { dtype, normal }) => EXTREME[dtype].brink * (t % 32 === 0 ? 1 : 1e-14 * normal()),
  /** Sixty powers of two apart: the order of the lanes shows, which float64 otherwise adds exactly. */
  wideRange: (_, { normal }) => normal() * 2 ** Math.round(10 * normal()),
  constant: ({ c }) => 0.1 * (c + 1),
  nan: (site, context) => (isRare(site, context) ? NaN : context.normal()),
  infinite: (site, context) => (isRare(site, context) ? (site.c % 4 < 2 ? Infinity : -Infinity) : context.normal()),
  /** Zeros of both signs, alone in every second channel. */
  negativeZero: ({ c, t }) => (t % 7 < 3 ? -0 : t % 7 < 6 || c % 2 === 0 ? 0 : -0.25),
  denormal: (_, { dtype, normal }) => Math.round(normal() * 100) * EXTREME[dtype].smallest,
  large: (_, { normal }) => normal() * 1e25,
  small: (_, { normal }) => normal() * 1e-25,
  /** γ = 0 in every second channel. */
  zeroWeight: (_, { normal }) => normal(),
} as const satisfies Record<string, Source>;

export type Kind = keyof typeof SOURCES;
export const KINDS = Object.keys(SOURCES) as readonly Kind[];

/** The gradient of the output: ordinary, but special where x is, with its own period and places. */
const GRADIENTS: Partial<Record<Kind, Source>> = {
  primeCycle: ({ index }) => ((index % 241) - 120) / 16,
  extremeChannels: ({ c }, { dtype, channels, normal }) =>
    normal() * (role(c, channels) === 0 ? 1 : EXTREME[dtype].huge),
  extremeValues: ({ t }, { dtype, length, normal }) =>
    normal() * (t === Math.floor(length * 0.3) ? EXTREME[dtype].largest : 1),
  nan: ({ c, t }, { length, normal }) => (c % 4 === 2 && t === length - 1 ? NaN : normal()),
  infinite: ({ c, t }, { length, normal }) => (c % 4 === 2 && t === length - 1 ? Infinity : normal()),
  wideRange: SOURCES.wideRange,
  negativeZero: ({ t }) => (t % 3 === 0 ? -0 : 0.5),
  denormal: SOURCES.denormal,
};
const ordinary: Source = (_, { normal }) => normal();

function generate<D extends DType>(
  dtype: D,
  source: Source,
  { outer, channels, inner }: Extent,
  next: Random,
): ArrayOf<D> {
  const context: Context = { dtype, channels, length: outer * inner, normal: gaussian(next) };
  const data = allocate(dtype, outer * channels * inner) as ArrayOf<D>;
  for (let o = 0, index = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < inner; i++, index++) data[index] = source({ c, t: o * inner + i, index }, context);
    }
  }
  return data;
}

/** x of a kind. */
export function values<D extends DType>(dtype: D, kind: Kind, extent: Extent, next: Random): ArrayOf<D> {
  return generate(dtype, SOURCES[kind], extent, next);
}

/** dy to go with x of a kind. */
export function gradients<D extends DType>(dtype: D, kind: Kind, extent: Extent, next: Random): ArrayOf<D> {
  return generate(dtype, GRADIENTS[kind] ?? ordinary, extent, next);
}

/** Residual to go with x of a kind: mostly −0 where the sign of a zero is to pass through. */
export function residuals<D extends DType>(dtype: D, kind: Kind, extent: Extent, next: Random): ArrayOf<D> {
  return generate(dtype, kind === "negativeZero" ? ({ t }) => (t % 5 === 0 ? 0 : -0) : ordinary, extent, next);
}

/** γ, negative in some channels; 0 in every second of `zeroWeight`; negative in all of `negativeZero`, to turn its signs. */
export function weights(kind: Kind, channels: number, next: () => number): Float64Array {
  return Float64Array.from({ length: channels }, (_, c) => {
    const value = kind === "zeroWeight" && c % 2 === 0 ? 0 : 0.25 + next();
    return c % 3 === 1 || kind === "negativeZero" ? -value : value;
  });
}

/** β, −0 in `negativeZero`: with any other, no sign of a zero would reach y. */
export function biases(kind: Kind, channels: number, next: () => number): Float64Array {
  return Float64Array.from({ length: channels }, () => (kind === "negativeZero" ? -0 : next() - 0.5));
}

/** What weights of positions are like, so that each clause of the contract is met. */
const WEIGHTS: readonly ((at: number, count: number, next: () => number, smallest: number) => number)[] = [
  /** A mask of half the positions. */
  (_at, _count, next) => (next() < 0.5 ? 0 : 1),
  (_at, _count, next) => next(),
  /** Whole blocks without weight, in front: the group begins later. */
  (at, count, next) => (at < 0.6 * count ? 0 : next() < 0.1 ? 0 : 1 + Math.floor(3 * next())),
  /** Few, far apart: most samples hold none. */
  (_at, _count, next) => (next() < 0.03 ? 0.25 + next() : 0),
  /** From twenty powers of two below to twenty above, and zeros between. */
  (_at, _count, next) => (next() < 0.25 ? 0 : (0.5 + next()) * 2 ** Math.round(40 * (next() - 0.5))),
  /** Stretches that overflow or underflow when multiplied, and some that no sum of float32 holds. */
  (at, _count, next, smallest) =>
    [next(), 1e30 * next(), smallest * Math.floor(100 * next()), 3e38 * next()][Math.floor(at / 700) % 4]!,
  () => 0,
];

/** Weights of positions, of one kind after another. */
export function positionWeights<D extends DType>(
  dtype: D,
  index: number,
  extent: Extent,
  next: () => number,
): ArrayOf<D> {
  const count = extent.outer * extent.inner;
  const source = WEIGHTS[index % WEIGHTS.length]!;
  const data = allocate(dtype, count) as ArrayOf<D>;
  for (let at = 0; at < count; at++) data[at] = source(at, count, next, EXTREME[dtype].smallest);
  return data;
}
