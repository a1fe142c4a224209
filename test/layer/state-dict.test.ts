// stateDict, its round trip and clone: copies under torch's names. What else can be loaded is in state-loading.test.ts.
import { describe, expect, test } from "vitest";
import { BatchNorm, contractVersion, type BatchNormOptions, type FloatType as DType } from "../../src/index.js";
import { expectSameBits, normals, tokenOf } from "../support/reference.js";

/** torch's keys, all of them. Its strict mode accepts no other. */
const ALL = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];

const VARIANTS: readonly [BatchNormOptions<DType>, readonly string[]][] = [
  [{}, ALL],
  [{ dtype: "float64" }, ALL],
  [{ affine: false }, ["running_mean", "running_var", "num_batches_tracked"]],
  [{ bias: false }, ["weight", "running_mean", "running_var", "num_batches_tracked"]],
  [{ weight: false, trackRunningStats: false }, ["bias"]],
  [{ affine: false, trackRunningStats: false }, []],
];

/** A layer that has seen two batches. */
function trained<D extends DType>(dtype: D, options: BatchNormOptions<D> = {}): BatchNorm<D> {
  const layer = new BatchNorm<D>(3, { dtype, ...options });
  layer.weight?.set([1.5, -2, 0.25]);
  layer.bias?.set([0, -0, 3]);
  for (const seed of [1, 2]) layer.forward(normals(dtype, 24, seed), [2, 3, 4]);
  return layer;
}

describe.each(VARIANTS)("%j", (options, keys) => {
  const dtype = options.dtype ?? "float32";

  test("round trip: the same keys, state and outputs", () => {
    const layer = trained(dtype, options);
    const state = layer.stateDict();
    expect(Object.keys(state)).toEqual(keys);
    if ("num_batches_tracked" in state) expect(state.num_batches_tracked).toBe(2);
    const other = new BatchNorm<DType>(3, options);
    other.loadStateDict(structuredClone(state));
    expect(other.stateDict()).toEqual(state);
    const x = normals(dtype, 24, 3);
    expectSameBits(other.eval().forward(x, [2, 3, 4]), layer.eval().forward(x, [2, 3, 4]));
    expectSameBits(other.train().forward(x, [2, 3, 4]), layer.train().forward(x, [2, 3, 4]));
    expect(other.stateDict()).toEqual(layer.stateDict());
  });

  test("copies, both ways", () => {
    const layer = trained(dtype, options);
    const state = layer.stateDict();
    const copy = structuredClone(state);
    const arrays = [layer.weight, layer.bias, layer.runningMean, layer.runningVar];
    layer.loadStateDict(state);
    expect([layer.weight, layer.bias, layer.runningMean, layer.runningVar]).toEqual(arrays);
    layer.forward(normals(dtype, 24, 4), [2, 3, 4]);
    layer.weight?.fill(9);
    expect(state).toEqual(copy);
    for (const table of [state.weight, state.bias, state.running_mean, state.running_var]) table?.fill(-1);
    expect(layer.stateDict()).not.toMatchObject(keys.length > 0 ? state : { none: true });
  });
});

describe("extras, which torch does not know", () => {
  /** A layer of which two of three batches moved the running mean alone. */
  function skipping(): BatchNorm {
    const layer = new BatchNorm(3, { momentum: null, singleValue: "running" });
    for (const n of [1, 4, 1]) layer.forward(normals("float32", 3 * n, n), [n, 3]);
    return layer;
  }

  test("are in a state on request, and load", () => {
    const layer = skipping();
    const state = layer.stateDict({ extras: true });
    expect(state).toEqual({ ...layer.stateDict(), num_batches_skipped: 2, contract_version: contractVersion });
    for (const given of [{}, { extras: false }, { extras: undefined }])
      expect(Object.keys(layer.stateDict(given as object))).toEqual(ALL);
    const other = new BatchNorm(3);
    other.loadStateDict(state);
    expect(other.stateDict({ extras: true })).toEqual(state);
    other.loadStateDict(layer.stateDict());
    expect(other.stateDict({ extras: true }).num_batches_skipped).toBe(0);
    const untracked = new BatchNorm(3, { trackRunningStats: false });
    expect(Object.keys(untracked.stateDict({ extras: true }))).toEqual(["weight", "bias", "contract_version"]);
  });

  test.each<[string, (layer: BatchNorm, copy: BatchNorm) => BatchNorm]>([
    ["a state with extras", (layer, copy) => (copy.loadStateDict(layer.stateDict({ extras: true })), copy)],
    ["a clone", (layer) => layer.clone()],
  ])("with %s, the cumulative variance goes on with the same bits", (_, copyOf) => {
    const layer = skipping();
    const copy = copyOf(layer, new BatchNorm(3, { momentum: null, singleValue: "running" }));
    for (const each of [layer, copy]) each.forward(normals("float32", 12, 9), [4, 3]);
    expect(copy.stateDict()).toEqual(layer.stateDict());
  });

  test("without them all batches count for the variance, as contract clause 8 says", () => {
    const layer = skipping();
    const loaded = new BatchNorm(3, { momentum: null });
    loaded.loadStateDict(layer.stateDict());
    const variance = Array.from(layer.runningVar!);
    for (const each of [layer, loaded]) each.forward(normals("float32", 12, 9), [4, 3]);
    // The one before it and this one are two of four: 1/2 and 1/4 are the weights of this batch.
    variance.forEach((old, c) => {
      const batch = 2 * layer.runningVar![c]! - old;
      expect(loaded.runningVar![c]!).toBeCloseTo((3 * old + batch) / 4, 4);
    });
  });

  test("a state of any contract version loads", () => {
    const state = trained("float32").stateDict();
    for (const version of [7, 7n, BigInt64Array.of(7n)]) {
      const layer = new BatchNorm(3);
      layer.loadStateDict({ ...state, contract_version: version });
      expect(layer.stateDict()).toEqual(state);
    }
  });
});

test("a layer whose statistics are ruined can be cloned", () => {
  const layer = trained("float32");
  layer.runningVar!.set([NaN, -1, Infinity]);
  expect(layer.clone().stateDict()).toEqual(layer.stateDict());
});

test("clone: the same options, state and modes, nothing shared", () => {
  const variants: BatchNormOptions<DType>[] = [
    { eps: 1e-3, momentum: 0.3, layout: "channels-last", activation: "relu", singleValue: "allow" },
    { momentum: null, axis: -1, bias: false, dtype: "float64" },
    { decay: 0.9, affine: false, axis: 2, reuse: true, backend: "oracle" },
    { trackRunningStats: false, axis: 2, threads: 2 },
  ];
  for (const options of variants) {
    const layer = new BatchNorm(4, options);
    const x = normals(layer.dtype, 24, 1);
    layer.forward(x, [2, 3, 4]);
    if (layer.runningMean) layer.frozen = true;
    layer.eval();
    const copy = layer.clone();
    expect(copy.saved).toBeNull();
    const { eps, momentum, dtype, training, frozen, backend, numBatchesTracked } = layer;
    expect(copy).toMatchObject({ eps, momentum, dtype, training, frozen, backend, numBatchesTracked });
    expect(copy.stateDict()).toEqual(layer.stateDict());
    if (layer.runningMean) copy.frozen = layer.frozen = false;
    for (const each of [layer, copy]) each.train().forward(x, [2, 3, 4]);
    expect(copy.stateDict()).toEqual(layer.stateDict());
    expect(tokenOf(copy.saved)).toEqual(tokenOf(layer.saved));
    expect(copy.backward(normals(layer.dtype, 24, 2))).toEqual(layer.backward(normals(layer.dtype, 24, 2)));
    const before = layer.stateDict();
    for (const table of [copy.weight, copy.bias, copy.runningMean, copy.runningVar]) table?.fill(5);
    expect(layer.stateDict()).toEqual(before);
  }
});
