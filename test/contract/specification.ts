// The exactness contract (docs/contract.md) as code: as plain as the text, with its clause numbers, and as slow. Elements
// are ordinary numbers; a 16-bit element is the number that its bits stand for. null stands for what is absent.
export type DType = "float32" | "float64" | "float16" | "bfloat16";
export type Numbers = ArrayLike<number>;
export type Extent = { outer: number; channels: number; inner: number };

// Clause 0: arithmetic and storage. This is T(v).
export function round(dtype: DType, v: number): number {
  return dtype === "float64" ? v : Math.fround(v);
}

/** How many bits the fraction has, the least positive number, and the bits of infinity. */
const FORMATS = { float16: [10, 2 ** -24, 0x7c00], bfloat16: [7, 2 ** -133, 0x7f80] } as const;

/** The number that 16 bits stand for. */
export function widen(dtype: keyof typeof FORMATS, bits: number): number {
  const [F, least, infinity] = FORMATS[dtype];
  const magnitude = bits % 2 ** 15;
  const exponent = Math.max(1, Math.floor(magnitude / 2 ** F));
  const finite = (magnitude - (exponent - 1) * 2 ** F) * least * 2 ** (exponent - 1);
  const value = magnitude < infinity ? finite : magnitude > infinity ? NaN : Infinity;
  return bits < 2 ** 15 ? value : -value;
}

/** The 16 bits of the number nearest to v; of two as near, those that end in 0. */
export function narrow(dtype: keyof typeof FORMATS, v: number): number {
  const [F, least, infinity] = FORMATS[dtype];
  if (Number.isNaN(v)) return infinity + 2 ** (F - 1);
  const magnitude = Math.min(Math.abs(v), 2 ** 128);
  let [exponent, spacing] = [1, least];
  for (; magnitude >= spacing * 2 ** (F + 1); exponent++) spacing *= 2;
  // Between 2 ** 52 and 2 ** 53, float64 holds the integers alone: the sum is rounded to one, ties to even.
  const steps = magnitude / spacing + 2 ** 52 - 2 ** 52;
  const sign = v < 0 || Object.is(v, -0) ? 2 ** 15 : 0;
  return sign + Math.min((exponent - 1) * 2 ** F + steps, infinity);
}

/** An element as it is read back after it was stored. */
export function stored(dtype: DType, v: number): number {
  return dtype === "float16" || dtype === "bfloat16" ? widen(dtype, narrow(dtype, v)) : v;
}

// Clause 1: traversals, columns, blocks, groups, lanes.
function traversalOf({ channels, inner }: Extent): "planes" | "rows" | "few columns" {
  return inner >= 16 ? "planes" : channels * inner >= 16 ? "rows" : "few columns";
}

/** Row o and index i of a value, its lane, and the lane of its weight. */
type Place = { o: number; i: number; lane: number; weightLane: number };
type Block = Place[];

/** The columns of a channel, each a list of groups, which are lists of at most 32 blocks. */
function columnsOf(extent: Extent): Block[][][] {
  const { outer, inner } = extent;
  const traversal = traversalOf(extent);
  const rows = { planes: Math.max(1, Math.floor(2048 / inner)), rows: 128, "few columns": 2048 }[traversal];
  const ranges = traversal === "planes" ? [[0, inner]] : Array.from({ length: inner }, (_, i) => [i, i + 1]);
  return ranges.map(([from, to]) => {
    const groups: Block[][] = [];
    for (let o0 = 0, number = 0; o0 < outer; o0 += rows) {
      for (let i0 = from!; i0 < to!; i0 += 2048, number++) {
        const block: Block = [];
        for (let o = o0; o < Math.min(o0 + rows, outer); o++) {
          for (let i = i0; i < Math.min(i0 + 2048, to!); i++) {
            const weightLane = (traversal === "planes" ? i - i0 : o - o0) % 16;
            block.push({ o, i, lane: traversal === "rows" ? 0 : weightLane, weightLane });
          }
        }
        (groups[Math.floor(number / 32)] ??= []).push(block);
      }
    }
    return groups;
  });
}

/** Adds a list of 1, 2, 4, 8 or 16 numbers in halves. */
function fold(lanes: Float64Array): number {
  for (let half = lanes.length / 2; half >= 1; half /= 2) {
    for (let j = 0; j < half; j++) lanes[j]! += lanes[j + half]!;
  }
  return lanes[0]!;
}

/** What there is at row o and index i of one channel. */
type At = (o: number, i: number) => number;

function atChannel({ channels, inner }: Extent, c: number, x: Numbers): At {
  return (o, i) => x[(o * channels + c) * inner + i]!;
}

/** The sum of a term over a block, in lanes of type T. */
function blockSum(dtype: DType, block: Block, which: "lane" | "weightLane", term: At): number {
  const lanes = new Float64Array(16);
  for (const place of block) lanes[place[which]] = round(dtype, lanes[place[which]]! + term(place.o, place.i));
  return fold(lanes);
}

export type Moments = { count: number; mean: number; m2: number };
type Channel = { dtype: DType; x: At; w: At; isWeighted: boolean };
function firstShift({ dtype, x, w, isWeighted }: Channel, block: Block): number {
  const size = Math.min(16, 2 ** Math.floor(Math.log2(block.length)));
  const sample = Array.from({ length: size }, (_, j) => block[Math.floor((j * block.length) / size)]!);
  const kept = sample.filter(({ o, i }) => w(o, i) !== 0).length;
  const k = round(dtype, fold(Float64Array.from(sample, ({ o, i }) => (w(o, i) === 0 ? 0 : x(o, i)))) / kept);
  return Number.isFinite(k) ? k : isWeighted ? 0 : x(block[0]!.o, block[0]!.i);
}

/** Clause 2: moments of a block of weight W around the shift k, with sums of type `type`. */
function blockMoments(channel: Channel, block: Block, W: number, k: number, isFirst: boolean, type: DType): Moments {
  const { dtype, x, w } = channel;
  const tiny = block.length * 2 ** -120;
  for (let pass = 1, shift = k; ; pass++) {
    const h: At = (o, i) => (w(o, i) === 0 ? 0 : round(type, x(o, i) - shift));
    const wh: At = (o, i) => round(type, w(o, i) * h(o, i));
    const P = blockSum(type, block, "lane", wh);
    const Q = blockSum(type, block, "lane", (o, i) => round(type, wh(o, i) * h(o, i)));
    const isLost = !Number.isFinite(P) || !Number.isFinite(Q) || (Q < tiny && (P !== 0 || Q !== 0)) || W < tiny;
    if (isLost && type !== "float64") return blockMoments(channel, block, W, k, isFirst, "float64");
    const offset = P / W;
    const e = P * offset;
    const rest = Q - e;
    const mean = shift + offset;
    if (pass === 2 || !isFirst || !(e > 0.5 * rest)) return { count: W, mean, m2: rest < 0 ? 0 : rest };
    shift = round(dtype, mean);
  }
}

const EMPTY: Moments = { count: 0, mean: 0, m2: 0 };
/** Clause 3. */
export function merge(a: Moments, b: Moments): Moments {
  if (b.count === 0) return a;
  if (a.count === 0) return b;
  const count = a.count + b.count;
  const f = b.count / count;
  const delta = b.mean - a.mean;
  return { count, mean: a.mean + delta * f, m2: a.m2 + b.m2 + delta * delta * (a.count * f) };
}

function groupMoments(channel: Channel, blocks: Block[]): Moments {
  const { dtype, w } = channel;
  let group = EMPTY;
  for (const block of blocks) {
    const sum = blockSum(dtype, block, "weightLane", w);
    const W = Number.isFinite(sum) ? sum : blockSum("float64", block, "weightLane", w);
    if (W === 0) continue;
    const isFirst = group.count === 0;
    const k = isFirst ? firstShift(channel, block) : round(dtype, group.mean);
    group = merge(group, blockMoments(channel, block, W, k, isFirst, dtype));
  }
  return group;
}

/** Moments of every channel. Without weights, each is 1. */
export function moments(dtype: DType, extent: Extent, x: Numbers, weights: Numbers | null): Moments[] {
  const columns = columnsOf(extent);
  const w: At = weights ? atChannel({ ...extent, channels: 1 }, 0, weights) : () => 1;
  return Array.from({ length: extent.channels }, (_, c) => {
    const channel = { dtype, x: atChannel(extent, c, x), w, isWeighted: weights !== null };
    const ofGroups = columns.map((groups) => groups.map((blocks) => groupMoments(channel, blocks)));
    return ofGroups.map((groups) => groups.reduce(merge, EMPTY)).reduce(merge, EMPTY);
  });
}

/** An activation that is no rectifier: what clauses 4 and 5 say of ŷ = z. The slopes are those of a PReLU. */
export type Curve = { name: "clamp" | "hard-sigmoid" | "hard-swish" | "squared-relu" | "prelu" } & {
  low: number;
  high: number;
  slopes: Numbers;
};

/** The slope of a channel. There may be one for all. */
function slopeOf(slopes: Numbers, c: number): number {
  return slopes[slopes.length === 1 ? 0 : c]!;
}

function curve(dtype: DType, { name, low, high, slopes }: Curve, z: number, c: number): number {
  const T = (v: number): number => round(dtype, v);
  const ramp = T(T(z + 3) * T(1 / 6));
  if (name === "clamp") return z <= T(low) ? T(low) : z >= T(high) ? T(high) : z;
  if (name === "hard-sigmoid") return z <= -3 ? 0 : z >= 3 ? 1 : ramp;
  if (name === "hard-swish") return z <= -3 ? 0 : z >= 3 ? z : T(z * ramp);
  if (name === "squared-relu") return z <= 0 ? 0 : T(z * z);
  return z <= 0 ? T(z * T(slopeOf(slopes, c))) : z;
}

function curveGrad(dtype: DType, { name, low, high, slopes }: Curve, dy: number, z: number, c: number): number {
  const T = (v: number): number => round(dtype, v);
  if (Number.isNaN(z)) return dy;
  if (name === "clamp") return z <= T(low) || z >= T(high) ? 0 : dy;
  if (name === "hard-sigmoid") return z <= -3 || z >= 3 ? 0 : T(dy * T(1 / 6));
  if (name === "hard-swish") return z <= -3 ? 0 : z >= 3 ? dy : T(dy * T(T(z * T(1 / 3)) + 0.5));
  if (name === "squared-relu") return z <= 0 ? 0 : T(dy * T(z + z));
  return z <= 0 ? T(dy * T(slopeOf(slopes, c))) : dy;
}

/** Clauses 4 to 7. The slope is the activation if there is no curve: null is none, 0 is ReLU. Fixed moments have a count of 1. */
export type Options = Record<"gamma" | "beta" | "residual" | "w", Numbers | null> & {
  extent: Extent;
  dtype: DType;
  eps: number;
  slope: number | null;
  curve?: Curve | null;
  maskedOutput: "normalize" | "zero";
  given: Moments[] | null;
  isFixed: boolean;
};

/** What a backward takes from its forward, for each channel. */
export type Affine = Moments & { r: number; p: number; center: number; scale: number; shift: number };

export function affineOf(dtype: DType, stats: Moments, r: number, p: number, beta: number): Affine {
  const center = round(dtype, stats.mean);
  return { ...stats, r, p, center, scale: round(dtype, p), shift: round(dtype, beta + (center - stats.mean) * p) };
}

/** An array of x's size: f gives element p, which is of channel c and at a position. */
function elements({ outer, channels, inner }: Extent, f: (p: number, c: number, position: number) => number): number[] {
  return Array.from({ length: outer * channels * inner }, (_, p) =>
    f(p, Math.floor(p / inner) % channels, Math.floor(p / (channels * inner)) * inner + (p % inner)),
  );
}

/** Clause 6. */
export function zeroMasked(extent: Extent, x: Numbers, w: Numbers): number[] {
  return elements(extent, (p, _c, position) => (w[position] === 0 ? 0 : x[p]!));
}

/** An output before its activation. */
function preactivation(dtype: DType, x: number, { center, scale, shift }: Affine, residual: number | null): number {
  const y = round(dtype, round(dtype, round(dtype, x - center) * scale) + shift);
  return residual === null ? y : round(dtype, y + residual);
}

export function normalize(x: Numbers, affine: Affine[], options: Options): Numbers {
  const { extent, dtype, residual, slope, w, maskedOutput } = options;
  const y = elements(extent, (p, c) => {
    const z = preactivation(dtype, x[p]!, affine[c]!, residual && residual[p]!);
    if (options.curve) return stored(dtype, curve(dtype, options.curve, z, c));
    if (slope === null) return stored(dtype, z);
    if (slope === 0) return stored(dtype, z < 0 ? 0 : z);
    return stored(dtype, z <= 0 ? round(dtype, z * round(dtype, slope)) : z);
  });
  return w && maskedOutput === "zero" ? zeroMasked(extent, y, w) : y;
}

export function forward(x: Numbers, options: Options): { affine: Affine[]; y: Numbers } {
  const { extent, dtype, eps, gamma, beta, w, given } = options;
  const affine = (given ?? moments(dtype, extent, x, w)).map((stats, c) => {
    const v = stats.m2 / stats.count;
    const r = stats.count === 0 || v + eps === 0 ? 0 : 1 / Math.sqrt(v + eps);
    return affineOf(dtype, stats, r, (gamma?.[c] ?? 1) * r, beta?.[c] ?? 0);
  });
  return { affine, y: normalize(x, affine, options) };
}

type Pair = [number, number];
/** Clause 5: S and U of a channel. */
function gradSums(dtype: DType, columns: Block[][][], x: At, g: At, center: number): Pair {
  const ofBlock = (block: Block, type: DType): Pair => {
    const S = blockSum(type, block, "lane", g);
    const U = blockSum(type, block, "lane", (o, i) => round(type, g(o, i) * round(type, x(o, i) - center)));
    const isLost = type !== "float64" && !(Number.isFinite(S) && Number.isFinite(U));
    return isLost ? ofBlock(block, "float64") : [S, U];
  };
  const add = (pairs: Pair[]): Pair => pairs.reduce((a, b) => [a[0] + b[0], a[1] + b[1]], [0, 0]);
  return add(columns.map((groups) => add(groups.map((blocks) => add(blocks.map((block) => ofBlock(block, dtype)))))));
}

export type ChannelGradients = Record<"S" | "U" | "s" | "t" | "a" | "dgamma" | "dbeta" | "slopeSum", number>;
export type Gradients = { channels: ChannelGradients[]; dx: Numbers; dresidual: Numbers };

/** Where y, the stored output, is given, the mask of the activation is read off it. */
export function backward(x: Numbers, y: Numbers | null, dy: Numbers, affine: Affine[], options: Options): Gradients {
  const { extent, dtype, residual, slope, w, maskedOutput, isFixed } = options;
  const masked = (data: Numbers): Numbers => (w && maskedOutput === "zero" ? zeroMasked(extent, data, w) : data);
  const [xs, dys] = [masked(x), masked(dy)];
  const before = (p: number, c: number): number => preactivation(dtype, xs[p]!, affine[c]!, residual && residual[p]!);
  const g = elements(extent, (p, c) => {
    if (options.curve) return curveGrad(dtype, options.curve, dys[p]!, before(p, c), c);
    if (slope === null) return dys[p]!;
    const output = y ? y[p]! : before(p, c);
    if (!(stored(dtype, output) <= 0)) return dys[p]!;
    return slope === 0 ? 0 : round(dtype, dys[p]! * round(dtype, slope));
  });
  // What the gradient of a slope is the sum of.
  const isLearned = options.curve?.name === "prelu";
  const ofSlope = elements(extent, (p, c) => {
    const z = isLearned ? before(p, c) : NaN;
    return z <= 0 ? round(dtype, dys[p]! * z) : 0;
  });
  const columns = columnsOf(extent);
  const channels = affine.map(({ count, mean, r, p, center }, c) => {
    const [S, U] = gradSums(dtype, columns, atChannel(extent, c, xs), atChannel(extent, c, g), center);
    const [slopeSum] = gradSums(dtype, columns, atChannel(extent, c, xs), atChannel(extent, c, ofSlope), center);
    const X = U + (center - mean) * S;
    const slopeOfX = (r * r * X) / count;
    const t = count === 0 ? 0 : round(dtype, slopeOfX);
    const s = count === 0 ? 0 : round(dtype, S / count + (center - mean) * slopeOfX);
    return { S, U, s, t, a: round(dtype, p), dbeta: round(dtype, S), dgamma: round(dtype, X * r), slopeSum };
  });
  const dx = elements(extent, (p, c, position) => {
    const { s, t, a } = channels[c]!;
    if (isFixed) return stored(dtype, round(dtype, g[p]! * a));
    const share = round(dtype, s + round(dtype, round(dtype, xs[p]! - affine[c]!.center) * t));
    const weighted = w === null ? share : w[position] === 0 ? 0 : round(dtype, w[position]! * share);
    return stored(dtype, round(dtype, round(dtype, g[p]! - weighted) * a));
  });
  return { channels, dx: masked(dx), dresidual: masked(g.map((v) => stored(dtype, v))) };
}

/** Clause 7: what stands for x and for its statistics where the forward kept y alone. */
export function fromOutput(y: Numbers, affine: Affine[], { dtype, slope, gamma, beta }: Options): [number[], Affine[]] {
  const z = Array.from(y, (v) => (slope !== null && v <= 0 ? round(dtype, v * round(dtype, 1 / slope)) : v));
  const ofZ = affine.map((stats, c) => {
    const [own, mean] = [gamma?.[c] ?? 1, beta?.[c] ?? 0];
    return affineOf(dtype, { ...stats, mean }, 1 / own, own * own * stats.r * (1 / own), mean);
  });
  return [z, ofZ];
}

/** Clause 8: W2, the sum of w·w. */
export function sumSquaredWeights(extent: Extent, w: Numbers): number {
  let total = 0;
  for (const blocks of columnsOf(extent)[0] ?? []) {
    let group = 0;
    for (const { o, i } of blocks.flat()) {
      const end = traversalOf(extent) === "planes" ? i + 1 : extent.inner;
      for (let at = o * extent.inner + i; at < o * extent.inner + end; at++) group += w[at]! * w[at]!;
    }
    total += group;
  }
  return total;
}

/** The variance that moves the running one. Without weights W2 is the count. */
export function runningVariance({ count, m2 }: Moments, W2: number): number {
  const divisor = count - W2 / count;
  return count === 0 ? 0 : m2 / (divisor > 0 ? divisor : count);
}

export function updateRunning(dtype: DType, running: number, batch: number, factor: number): number {
  return round(dtype, factor === 0 ? running : factor === 1 ? batch : (1 - factor) * running + factor * batch);
}
