// The parts of a backward and the double backward: asynchronous calls give the results of synchronous ones to the bit.
import { describe, expect, test } from "vitest";
import {
  batchNormDoubleBackward,
  batchNormDoubleBackwardAsync,
  batchNormGradCoefficients,
  batchNormGradInput,
  batchNormGradInputAsync,
  batchNormGradSums,
  batchNormGradSumsAsync,
  batchNormInference,
  batchNormMoments,
  batchNormTraining,
  mergeMoments,
  type BackendRequest,
  type DType,
  type Saved,
} from "../../src/index.js";
import type { Data } from "../../src/base/types.js";
import { backendsUnderTest, reportMissing } from "../support/backends.js";
import {
  CHANNELS,
  SHAPE,
  SIZE,
  drawn,
  expectSame,
  floats,
  inShared,
  is16Bit,
  type Memory,
} from "../support/async-calls.js";

type Options = Record<string, unknown>;
type Loose = (...args: unknown[]) => unknown;
type LooseLater = (...args: unknown[]) => Promise<unknown>;

/** A forward, by the options that it has besides γ and β. */
interface Case {
  readonly name: string;
  readonly shape?: readonly number[];
  readonly channels?: number;
  /** With running statistics. */
  readonly isFrozen?: boolean;
  readonly options?: (dtype: DType, memory: Memory) => Options;
  /** Whether a double backward takes the token. */
  readonly isTwice?: boolean;
}

const mask = (): Uint8Array => Uint8Array.from({ length: SIZE / CHANNELS }, (_, i) => Number(i % 7 !== 0));
const residual = (dtype: DType, memory: Memory): Options => ({ residual: fresh(dtype, SIZE, 3, memory) });
const prelu = (dtype: DType): Options => ({
  activation: { type: "prelu", slope: drawn(floats(dtype), CHANNELS, 9) },
});
const tables = (dtype: DType): Options => ({
  weight: drawn(floats(dtype), 9 * CHANNELS, 5),
  bias: drawn(floats(dtype), 9 * CHANNELS, 6),
});
const parts = (dtype: DType): Options => {
  const [a, b] = [fresh(dtype, SIZE, 1, "ordinary"), fresh(dtype, SIZE, 2, "ordinary")];
  const momentsOf = (x: Data): never => (batchNormMoments as Loose)(x, SHAPE, { dtype }) as never;
  return { moments: mergeMoments(momentsOf(a), momentsOf(b)) };
};

const CASES: readonly Case[] = [
  { name: "a batch", isTwice: true },
  { name: "rows", shape: [SIZE / CHANNELS, CHANNELS], isTwice: true },
  { name: "few columns", shape: [60_000, 3], channels: 3, isTwice: true },
  { name: "running statistics", isFrozen: true, isTwice: true },
  { name: "ReLU", options: () => ({ activation: "relu" }), isTwice: true },
  {
    name: "a clamp and a residual",
    options: (dtype, memory) => ({ activation: { type: "clamp", min: -0.5, max: 1 }, ...residual(dtype, memory) }),
    isTwice: true,
  },
  {
    name: "running statistics, leaky ReLU and a residual",
    isFrozen: true,
    options: (dtype, memory) => ({ activation: "leaky-relu", ...residual(dtype, memory) }),
    isTwice: true,
  },
  { name: "a residual alone", options: residual, isTwice: true },
  { name: "PReLU", options: prelu },
  { name: "a mask", options: () => ({ mask: mask() }) },
  {
    name: "masked outputs of 0, ReLU and a residual",
    options: (dtype, memory) => ({
      mask: mask(),
      maskedOutput: "zero",
      activation: "relu",
      ...residual(dtype, memory),
    }),
  },
  { name: "sample weights", options: (dtype) => ({ sampleWeights: drawn(floats(dtype), 9, 4).map(Math.abs) }) },
  { name: "γ and β of samples", options: tables },
  { name: "γ and β of samples, fixed", isFrozen: true, options: tables },
  {
    name: "γ and β of samples, masked, PReLU",
    options: (dtype) => ({ ...tables(dtype), mask: mask(), maskedOutput: "zero", ...prelu(dtype) }),
  },
  {
    name: "channels last",
    shape: [9, 29, 29, CHANNELS],
    options: () => ({ layout: "channels-last", activation: "relu" }),
    isTwice: true,
  },
  {
    name: "channel axes apart",
    shape: [9, 4, 841, 5],
    options: (dtype, memory) => ({ axis: [1, 3], activation: "relu", ...residual(dtype, memory) }),
    isTwice: true,
  },
  { name: "the output saved", options: () => ({ save: "output", activation: "leaky-relu" }) },
  { name: "a part of a batch", options: parts },
];

const DTYPES: readonly DType[] = ["float64", "float16", "bfloat16"];

const numbers = new Map<string, Data>();

/** Numbers of a seed in a new array: to copy takes less than to draw. */
function fresh(dtype: DType, length: number, seed: number, memory: Memory): Data {
  const key = `${dtype} ${length} ${seed}`;
  if (!numbers.has(key)) numbers.set(key, drawn(dtype, length, seed));
  const data = numbers.get(key)!;
  return memory === "shared" ? inShared(data) : data.slice();
}

/** One way of a call: its arrays are in memory of a kind, and its own. */
class Side {
  readonly saved: Saved;
  readonly shape: readonly number[];
  readonly channels: number;

  constructor(
    one: Case,
    private readonly dtype: DType,
    private readonly memory: Memory,
    readonly backend: BackendRequest,
  ) {
    this.shape = one.shape ?? SHAPE;
    this.channels = one.channels ?? CHANNELS;
    const type = floats(dtype);
    const running = {
      runningMean: drawn(type, this.channels, 11),
      runningVar: drawn(type, this.channels, 12).map(Math.abs),
    };
    const options = {
      dtype,
      backend,
      weight: drawn(type, this.channels, 7),
      bias: drawn(type, this.channels, 8),
      ...one.options?.(dtype, memory),
      ...(one.isFrozen && { ...running, save: true }),
    };
    const forward = (one.isFrozen ? batchNormInference : batchNormTraining) as Loose;
    this.saved = (forward(this.drawn(1), this.shape, options) as { saved: Saved }).saved;
  }

  drawn(seed: number): Data {
    const size = this.shape.reduce((a, b) => a * b, 1);
    return fresh(this.dtype, size, seed, this.memory);
  }

  table(seed: number): Data {
    return drawn(floats(this.dtype), this.channels, seed);
  }

  /** The incoming gradients of a double backward that have these names. */
  incoming(names: readonly string[]): Options {
    const all: Options = {
      gradGradInput: this.drawn(21),
      gradGradWeight: this.table(22),
      gradGradBias: this.table(23),
      ...(this.saved.hasResidual && { gradGradResidual: this.drawn(24) }),
    };
    return Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
  }
}

const ways = (...args: ConstructorParameters<typeof Side>): [Side, Side] => [new Side(...args), new Side(...args)];

async function checkParts(one: Case, dtype: DType, memory: Memory, backend: BackendRequest): Promise<void> {
  const [sync, later] = ways(one, dtype, memory, backend);
  const sums = (batchNormGradSums as Loose)(sync.drawn(2), sync.saved, { backend }) as never;
  const got = await (batchNormGradSumsAsync as LooseLater)(later.drawn(2), later.saved, { backend });
  expectSame(got, sums, `${one.name}, sums`);
  const coefficients = batchNormGradCoefficients(sync.saved, sums);
  const outputs: readonly ((side: Side, dy: Data) => Options)[] = [
    () => ({}),
    (side, dy) => ({ out: dy, ...(side.saved.hasResidual && { residualOut: side.drawn(31) }) }),
  ];
  for (const options of outputs) {
    const [a, b] = [sync.drawn(2), later.drawn(2)];
    const tokens = [sync, later].map(({ saved }) => ({ ...saved, life: new Uint8Array(1) }));
    const expected = (batchNormGradInput as Loose)(a, tokens[0], coefficients, { backend, ...options(sync, a) });
    const own: Options = { backend, ...options(later, b) };
    const result = (await (batchNormGradInputAsync as LooseLater)(b, tokens[1], coefficients, own)) as Options;
    expectSame(result, expected, `${one.name}, gradInput`);
    if (own["out"]) expect(result["gradInput"]).toBe(own["out"]);
    if (own["residualOut"]) expect(result["gradResidual"]).toBe(own["residualOut"]);
    const again = (batchNormGradInputAsync as LooseLater)(b, tokens[1], coefficients, { backend });
    await expect(again).rejects.toHaveProperty("code", "ERR_BATCHNORM_SAVED");
  }
}

const GIVEN = ["gradGradInput", "gradGradWeight", "gradGradBias", "gradGradResidual"];
const SETS = [GIVEN, ...GIVEN.map((name) => [name]), []];

async function checkTwice(one: Case, dtype: DType, memory: Memory, backend: BackendRequest): Promise<void> {
  const [sync, later] = ways(one, dtype, memory, backend);
  for (const names of SETS) {
    const what = `${one.name}, ${names.join("+")}`;
    const expected = (batchNormDoubleBackward as Loose)(sync.saved, sync.drawn(2), sync.incoming(names), { backend });
    const call = batchNormDoubleBackwardAsync as LooseLater;
    expectSame(await call(later.saved, later.drawn(2), later.incoming(names), { backend }), expected, what);
  }
  expect(later.saved.life[0]).toBe(0);
}

async function check(one: Case, ...rest: [DType, Memory, BackendRequest]): Promise<void> {
  await checkParts(one, ...rest);
  if (one.isTwice) await checkTwice(one, ...rest);
}

for (const { name, kernels, has16Bit } of backendsUnderTest) {
  if (!kernels) continue;
  describe(name, () => {
    const backend = name as BackendRequest;
    const dtypes = name === "oracle" ? [] : DTYPES.filter((dtype) => has16Bit || !is16Bit(dtype));
    test.each(CASES)("$name", (one) => check(one, "float32", "ordinary", backend));

    test.skipIf(name === "oracle")("in shared memory", async () => {
      for (const one of CASES.filter(({ isTwice }, i) => i % 2 === 0 || isTwice === undefined))
        await check(one, "float32", "shared", backend);
    });

    test.each(dtypes)("%s", async (dtype) => {
      const mine = CASES.filter((_, i) => i % DTYPES.length === DTYPES.indexOf(dtype));
      for (const [i, one] of mine.entries()) await check(one, dtype, i % 2 ? "shared" : "ordinary", backend);
    });
  });
}

reportMissing();
