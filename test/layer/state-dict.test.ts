// stateDict, loadStateDict and clone: copies under torch's names, all or nothing.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  contractVersion,
  type BatchNormOptions,
  type FloatType as DType,
  type StateDict,
} from "../../src/index.js";
import { expectSameBits, normals, tokenOf } from "../support/reference.js";
import { expectRejected, range, type, type Rejection } from "../support/rejected.js";

const VARIANTS: readonly [BatchNormOptions<DType>, readonly string[]][] = [
  [{}, ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]],
  [{ dtype: "float64" }, ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]],
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
    expect(Object.keys(state)).toEqual([...keys, "contract_version"]);
    expect(state.contract_version).toBe(contractVersion);
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

test("a state of another contract version, or of none, loads", () => {
  const state = trained("float32").stateDict();
  delete state.contract_version;
  for (const other of [state, { ...state, contract_version: 7 }]) {
    const layer = new BatchNorm(3);
    layer.loadStateDict(other);
    expect(layer.stateDict()).toEqual({ ...state, contract_version: contractVersion });
  }
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

describe("loadStateDict rejects", () => {
  const STATE = "ERR_BATCHNORM_STATE";
  const full = "weight, bias, running_mean, running_var, num_batches_tracked";
  const wrong: [string, (state: StateDict<"float32">) => unknown, Rejection][] = [
    ["no object", () => "state", type("ERR_BATCHNORM_TYPE", '"state" expected an object, got "state"')],
    ["null", () => null, type("ERR_BATCHNORM_TYPE", '"state" expected an object, got null')],
    ["nothing in it", () => ({}), range(STATE, 'state dict lacks "weight"')],
    [
      "a missing entry",
      ({ weight, bias, running_mean, num_batches_tracked }) => ({ weight, bias, running_mean, num_batches_tracked }),
      range(STATE, 'state dict lacks "running_var"'),
    ],
    [
      "a missing counter",
      (state) => ({ ...state, num_batches_tracked: undefined }),
      range(STATE, 'state dict lacks "num_batches_tracked"'),
    ],
    [
      "a contract version that is none",
      (state) => ({ ...state, contract_version: 0 }),
      range("ERR_BATCHNORM_VALUE", '"contract_version" expected a positive integer, got 0'),
    ],
    [
      "an extra entry",
      (state) => ({ ...state, gamma: state.weight }),
      range(STATE, `state dict has unexpected "gamma", expected ${full}`),
    ],
    [
      "a mis-sized entry",
      (state) => ({ ...state, running_mean: new Float32Array(2) }),
      range("ERR_BATCHNORM_SHAPE", '"running_mean" expected length 3, got 2'),
    ],
    [
      "an Array",
      (state) => ({ ...state, running_var: [1, 1, 1] }),
      type("ERR_BATCHNORM_TYPE", '"running_var" expected a Float32Array, got an Array'),
    ],
    [
      "another type",
      (state) => ({ ...state, bias: new Float64Array(3) }),
      type("ERR_BATCHNORM_TYPE", '"bias" expected a Float32Array, got a Float64Array'),
    ],
    [
      "a counter that is none",
      (state) => ({ ...state, num_batches_tracked: -1 }),
      range("ERR_BATCHNORM_VALUE", '"num_batches_tracked" expected a non-negative integer, got -1'),
    ],
    [
      "torch's counter of int64",
      (state) => ({ ...state, num_batches_tracked: 2n }),
      type("ERR_BATCHNORM_TYPE", '"num_batches_tracked" expected a number, got 2n'),
    ],
  ];
  test.each(wrong)("%s", (_, change, expected) => {
    const layer = trained("float32");
    const state = change({ ...new BatchNorm(3).stateDict(), weight: Float32Array.of(7, 8, 9) });
    expectRejected(
      () => {
        layer.loadStateDict(state as StateDict<"float32">);
      },
      [layer, state],
      expected,
    );
  });

  test("what the layer does not have", () => {
    const layer = new BatchNorm(3, { affine: false });
    const expected = range(
      STATE,
      'state dict has unexpected "weight", expected running_mean, running_var, num_batches_tracked',
    );
    expectRejected(
      () => {
        layer.loadStateDict(new BatchNorm(3).stateDict());
      },
      [layer],
      expected,
    );
  });

  test("a layer whose own memory is gone, before any of it is overwritten", () => {
    const layer = trained("float32");
    structuredClone(layer.bias, { transfer: [layer.bias!.buffer as ArrayBuffer] });
    expectRejected(
      () => {
        layer.loadStateDict(new BatchNorm(3).stateDict());
      },
      [layer.weight, layer.runningMean],
      type("ERR_BATCHNORM_DETACHED", '"bias" has a detached buffer'),
    );
  });
});
