// Asynchronous calls give the results of synchronous ones to the bit: outputs, gradients, tokens and running statistics.
import { afterEach, describe, expect, test, vi } from "vitest";
import type { BatchNormOptions, DType, LayerBackwardOptions, LayerForwardOptions } from "../../src/index.js";
import { batchNormMoments, mergeMoments } from "../../src/index.js";
import type { BackendRequest } from "../../src/index.js";
import { backendsUnderTest, reportMissing } from "../support/backends.js";
import {
  CHANNELS,
  SHAPE,
  SIZE,
  drawn,
  expectSame,
  floats,
  is16Bit,
  pair,
  stateOf,
  type Memory,
} from "../support/async-calls.js";

type ForwardOptions = LayerForwardOptions<DType>;
type BackwardOptions = LayerBackwardOptions<DType, boolean>;

/** A call: options of the layer, of the forward and of the backward; functions make arrays of each call's own. */
interface Case {
  readonly name: string;
  readonly layer?: BatchNormOptions;
  readonly mode?: "eval" | "frozen";
  readonly shape?: readonly number[];
  readonly forward?: (dtype: DType, memory: Memory) => ForwardOptions;
  readonly backward?: (dtype: DType, memory: Memory) => BackwardOptions;
  readonly inPlace?: "x" | "gradOutput" | "residual";
}

const POSITIONS = SIZE / CHANNELS;
const ROWS = [SHAPE[0] * 29 * 29, CHANNELS];
const mask = (): Uint8Array => Uint8Array.from({ length: POSITIONS }, (_, i) => Number(i % 7 !== 0));
const maskOfSamples = [1, 1, 0, 1, 1, 1, 1, 0, 1] as const;
const residual = (dtype: DType, memory: Memory): ForwardOptions => ({ residual: drawn(dtype, SIZE, 3, memory) });
const tables = (dtype: DType): ForwardOptions =>
  ({ weight: drawn(floats(dtype), 9 * CHANNELS, 5), bias: drawn(floats(dtype), 9 * CHANNELS, 6) }) as ForwardOptions;
const slope = new Float32Array(CHANNELS).fill(0.2);

const CASES: readonly Case[] = [
  { name: "training" },
  { name: "rows", shape: ROWS },
  { name: "channels larger than a tile", shape: [2, CHANNELS, 300, 300] },
  { name: "few columns", shape: [200_000, 3], layer: {} },
  { name: "inference", mode: "eval" },
  { name: "inference that is saved", mode: "eval", forward: () => ({ save: true }) },
  { name: "frozen", mode: "frozen" },
  { name: "ReLU and a residual", layer: { activation: "relu" }, forward: residual },
  { name: "a clamp and a residual", layer: { activation: { type: "clamp", min: -0.5, max: 1 } }, forward: residual },
  { name: "PReLU", layer: { activation: { type: "prelu", slope } } },
  { name: "a mask", forward: () => ({ mask: mask() }) },
  { name: "a mask of samples", forward: () => ({ mask: maskOfSamples }) },
  { name: "masked outputs of 0", forward: () => ({ mask: mask(), maskedOutput: "zero" }) },
  {
    name: "masked outputs of 0 and a residual",
    layer: { activation: "relu" },
    forward: (dtype, memory) => ({ ...residual(dtype, memory), mask: mask(), maskedOutput: "zero" }),
  },
  {
    name: "sample weights",
    forward: (dtype) => ({ sampleWeights: drawn(floats(dtype), 9, 4).map(Math.abs) }) as ForwardOptions,
  },
  { name: "renormalization", layer: { renorm: { rMax: 2, dMax: 3 } } },
  { name: "a check of the statistics", layer: { onNonFinite: "throw" } },
  { name: "γ and β of samples", forward: tables },
  {
    name: "γ and β of samples, masked",
    forward: (dtype) => ({ ...tables(dtype), mask: mask(), maskedOutput: "zero" }),
  },
  { name: "γ and β of samples, frozen", mode: "frozen", forward: tables },
  { name: "γ and β of samples, PReLU", layer: { activation: { type: "prelu", slope } }, forward: tables },
  { name: "virtual batches", layer: { virtualBatchSize: 4 } },
  { name: "virtual batches, renormalized", layer: { virtualBatchSize: 4, renorm: { rMax: 2, dMax: 3 } } },
  { name: "virtual batches, a mean over all", layer: { virtualBatchSize: 2, momentum: null } },
  { name: "virtual batches, checked", layer: { virtualBatchSize: 4, onNonFinite: "throw" } },
  { name: "virtual batches, interleaved", layer: { virtualBatchSize: 3, virtualBatches: "interleaved" } },
  { name: "virtual batches, interleaved and copied", layer: { virtualBatchSize: 4, virtualBatches: "interleaved" } },
  {
    name: "virtual batches with γ and β of samples",
    layer: { virtualBatchSize: 4, virtualBatches: "interleaved", activation: "relu" },
    forward: (dtype, memory) => ({ ...tables(dtype), ...residual(dtype, memory) }) as ForwardOptions,
  },
  { name: "channels last", layer: { layout: "channels-last" }, shape: [9, 29, 29, CHANNELS] },
  { name: "channel axes apart", layer: { axis: [1, 3] }, shape: [300, 4, 29, 5] },
  { name: "the output saved", layer: { activation: "leaky-relu" }, forward: () => ({ save: "output" }) },
  { name: "the output saved in place", forward: () => ({ save: "output" }), inPlace: "x" },
  { name: "inference in place", mode: "eval", inPlace: "x" },
  { name: "the residual replaced", layer: { activation: "relu" }, forward: residual, inPlace: "residual" },
  { name: "an output", forward: (dtype, memory) => ({ out: drawn(dtype, SIZE, 9, memory) }) },
  { name: "no update", forward: () => ({ updateRunningStats: false }) },
  { name: "running statistics", forward: () => ({ statistics: "running" }) },
  {
    name: "gradients given arrays",
    layer: { activation: "relu" },
    forward: residual,
    backward: (dtype, memory) => ({ out: drawn(dtype, SIZE, 10, memory), residualOut: drawn(dtype, SIZE, 11, memory) }),
  },
  { name: "gradients in place of gradOutput", inPlace: "gradOutput" },
  { name: "gradients of the parameters", backward: () => ({ need: { input: false } }) },
  { name: "the gradient of x", mode: "frozen", backward: () => ({ need: { weight: false, bias: false } }) },
  {
    name: "gradients that are added",
    backward: (dtype) =>
      ({
        accumulate: { gradWeight: drawn(floats(dtype), CHANNELS, 12), gradBias: drawn(floats(dtype), CHANNELS, 13) },
      }) as BackwardOptions,
  },
];

const DTYPES: readonly DType[] = ["float32", "float64", "float16", "bfloat16"];

async function check(one: Case, dtype: DType, memory: Memory, backend: BackendRequest): Promise<void> {
  const shape = one.shape ?? SHAPE;
  const size = shape.reduce((a, b) => a * b, 1);
  const channels = one.name === "few columns" ? 3 : CHANNELS;
  const layer: BatchNormOptions = { ...one.layer, dtype };
  const { activation } = layer;
  if (typeof activation === "object" && activation.type === "prelu" && dtype === "float64")
    layer.activation = { type: "prelu", slope: new Float64Array(activation.slope) };
  const [sync, later] = pair(layer, backend, channels);
  for (const bn of [sync!, later!]) {
    if (one.mode === "eval") bn.eval();
    if (one.mode === "frozen") bn.frozen = true;
  }
  const forward = (): [x: never, shape: readonly number[], options: ForwardOptions] => {
    const x = drawn(dtype, size, 1, memory);
    const options: ForwardOptions = { ...one.forward?.(dtype, memory) };
    if (one.inPlace === "x") options.out = x;
    if (one.inPlace === "residual") options.out = options.residual as never;
    return [x as never, shape, options];
  };
  const backward = (): [dy: never, options: BackwardOptions] => {
    const dy = drawn(dtype, size, 2, memory);
    const options = { ...one.backward?.(dtype, memory) };
    if (one.inPlace === "gradOutput") options.out = dy;
    return [dy as never, options];
  };
  const expected = sync!.forward(...forward());
  const got = await later!.forwardAsync(...forward());
  expectSame(got, expected, `${one.name}, forward`);
  expectSame(stateOf(later!), stateOf(sync!), `${one.name}, state`);
  if (sync!.saved === null) return;
  expectSame(await later!.backwardAsync(...backward()), sync!.backward(...backward()), `${one.name}, backward`);
  expect(later!.saved).toBe(null);
}

afterEach(() => void vi.unstubAllGlobals());

for (const { name, kernels, has16Bit } of backendsUnderTest) {
  if (!kernels) continue;
  describe(name, () => {
    const backend = name as BackendRequest;
    const dtypes = name === "oracle" ? DTYPES.slice(0, 1) : DTYPES.filter((dtype) => has16Bit || !is16Bit(dtype));
    test.each(CASES)("$name", async (one) => {
      await check(one, "float32", "ordinary", backend);
      if (name === "oracle") return;
      await check(one, "float32", "shared", backend);
    });

    // Workers get no shared memory then, and all arrays are moved to them.
    if (name === "wasm")
      test.each(CASES)("$name, in a page that is not isolated", async (one) => {
        vi.stubGlobal("crossOriginIsolated", false);
        await check(one, "float32", "ordinary", backend);
        await check(one, "float64", "shared", backend);
      });

    test.each(dtypes)("%s", async (dtype) => {
      for (const memory of ["ordinary", "shared"] as const)
        for (const one of CASES.filter((_, i) => i % 5 === DTYPES.indexOf(dtype)))
          await check(one, dtype, memory, backend);
    });

    test("given moments", async () => {
      const [a, b] = [drawn("float32", SIZE, 1), drawn("float32", SIZE, 2)] as [Float32Array, Float32Array];
      const moments = mergeMoments(batchNormMoments(a, SHAPE), batchNormMoments(b, SHAPE));
      const [sync, later] = pair({}, backend);
      expectSame(await later!.forwardAsync(a, SHAPE, { moments }), sync!.forward(a, SHAPE, { moments }), "forward");
      expectSame(stateOf(later!), stateOf(sync!), "state");
    });

    test("an update that waits", async () => {
      const [sync, later] = pair({}, backend);
      const x = drawn("float32", SIZE, 1);
      sync!.forward(x, SHAPE, { updateRunningStats: "later" });
      await later!.forwardAsync(x, SHAPE, { updateRunningStats: "later" });
      expectSame(later!.stateDict(), sync!.stateDict(), "before");
      for (const bn of [sync!, later!]) bn.commit(bn.saved!);
      expectSame(later!.stateDict(), sync!.stateDict(), "after");
    });
  });
}

reportMissing();
