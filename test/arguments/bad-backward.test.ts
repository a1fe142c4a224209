// Bad arguments of a layer's backward: exact messages, nothing written, and the token still good for the right ones.
import { expect, test } from "vitest";
import { BatchNorm, batchNormTraining } from "../../src/index.js";
import { normals } from "../support/reference.js";
import {
  ALIAS,
  detached,
  DETACHED,
  expectRejected,
  OPTION,
  range,
  SAVED,
  SHAPE,
  type,
  TYPE,
} from "../support/rejected.js";
import type { Loose, Rejection } from "../support/rejected.js";

const GOOD = [2, 3, 4];
const dy = normals("float32", 24, 4);
const gone = detached(24);

interface Fixture {
  readonly layer: BatchNorm;
  readonly backward: Loose;
  readonly x: Float32Array;
  readonly out: Float32Array;
  readonly residual: Float32Array;
  /** 64 elements, to cut overlapping views from. */
  readonly big: Float32Array;
  readonly accumulate: { gradWeight: Float32Array; gradBias: Float32Array };
}

/** A layer of 3 features after a forward of [2, 3, 4], with ReLU and a residual. */
function fixture(): Fixture {
  const layer = new BatchNorm(3, { activation: "relu" });
  const x = normals("float32", 24, 1);
  const residual = normals("float32", 24, 2);
  layer.forward(x, GOOD, { residual });
  return {
    layer,
    x,
    residual,
    out: normals("float32", 24, 3),
    big: normals("float32", 64, 5),
    backward: (layer.backward as Loose).bind(layer),
    accumulate: { gradWeight: Float32Array.of(1, 2, 3), gradBias: Float32Array.of(4, 5, 6) },
  };
}

const expectedGradients = (({ layer }) => layer.backward(dy))(fixture());

const CASES: readonly (readonly [(f: Fixture) => unknown, Rejection])[] = [
  [({ backward }) => backward([1, 2]), type(TYPE, '"gradOutput" expected a Float32Array, got an Array')],
  [({ backward }) => backward(), type(TYPE, '"gradOutput" expected a Float32Array, got undefined')],
  [
    ({ backward }) => backward(new Float64Array(24)),
    type(TYPE, '"gradOutput" expected a Float32Array, got a Float64Array'),
  ],
  [({ backward }) => backward(dy.subarray(1)), range(SHAPE, '"gradOutput" expected length 24, got 23')],
  [
    ({ backward }) => backward({ data: dy, shape: [4, 3, 2] }),
    range(SHAPE, '"gradOutput" expected shape [2, 3, 4], got [4, 3, 2]'),
  ],
  [({ backward }) => backward(gone), type(DETACHED, '"gradOutput" has a detached buffer')],
  [
    ({ backward }) => backward({ data: dy, shape: GOOD, strides: [1, 2, 7] }),
    range(
      SHAPE,
      '"gradOutput" expected elements within its 24, got those from 0 to 26: strides [1, 2, 7] and offset 0 for shape [2, 3, 4]',
    ),
  ],
  [
    ({ backward }) => backward({ data: () => dy, shape: GOOD }),
    type(TYPE, '"gradOutput.data" is a function: pass { data: gradOutput.data(), shape: gradOutput.shape }'),
  ],
  [({ backward }) => backward(dy, { output: 1 }), type(OPTION, 'unknown option "output", did you mean "out"?')],
  [({ backward }) => backward(dy, 3), type(TYPE, '"options" expected an object, got 3')],
  [({ backward, out }) => backward(dy, { out: out.subarray(1) }), range(SHAPE, '"out" expected length 24, got 23')],
  [({ backward }) => backward(dy, { out: gone }), type(DETACHED, '"out" has a detached buffer')],
  [
    ({ backward, residual }) => backward(dy, { out: residual }),
    range(ALIAS, '"out" must not be "residual": the backward still reads it'),
  ],
  [({ backward, out }) => backward(dy, { out, residualOut: out }), range(ALIAS, '"out" must not be "residualOut"')],
  [
    ({ backward, big }) => backward(big.subarray(0, 24), { out: big.subarray(8, 32) }),
    range(ALIAS, '"out" overlaps "gradOutput" partly'),
  ],
  [({ backward }) => backward(dy, { residualOut: dy }), range(ALIAS, '"residualOut" must not be "gradOutput"')],
  [({ backward, x }) => backward(dy, { residualOut: x }), range(ALIAS, '"residualOut" must not be "x"')],
  [
    ({ backward, residual }) => backward(dy, { residualOut: residual }),
    range(ALIAS, '"residualOut" must not be "residual": the backward still reads it'),
  ],
  [({ backward, big }) => backward(dy, { residualOut: big }), range(SHAPE, '"residualOut" expected length 24, got 64')],
  [
    ({ backward, accumulate }) => backward(dy, { accumulate: { ...accumulate, gradBias: new Float32Array(2) } }),
    range(SHAPE, '"accumulate.gradBias" expected length 3, got 2'),
  ],
  [
    ({ backward, accumulate }) => backward(dy, { accumulate: { ...accumulate, gradWeight: new Float64Array(3) } }),
    type(TYPE, '"accumulate.gradWeight" expected a Float32Array, got a Float64Array'),
  ],
  [({ backward }) => backward(dy, { accumulate: null }), type(TYPE, '"accumulate" expected an object, got null')],
  [
    ({ backward, accumulate: { gradBias } }) => backward(dy, { accumulate: { gradBias, gradWeight: gradBias } }),
    range(ALIAS, '"accumulate.gradBias" must not be "accumulate.gradWeight"'),
  ],
  [
    ({ backward, out }) => backward(dy, { out, accumulate: { gradWeight: out.subarray(0, 3) } }),
    range(ALIAS, '"accumulate.gradWeight" overlaps "out" partly'),
  ],
  [({ backward }) => backward(dy, { saved: 1 }), type(SAVED, '"saved" expected the token of a forward, got 1')],
  [
    ({ backward, x }) => backward(dy, { saved: x }),
    type(SAVED, '"saved" expected the token of a forward, got a Float32Array'),
  ],
  [
    ({ backward }) => backward(dy, { saved: batchNormTraining(new Float64Array(24), GOOD).saved }),
    range(SAVED, '"saved" expected a float32 forward, got float64'),
  ],
  [
    ({ backward }) => backward(dy, { saved: batchNormTraining(normals("float32", 24, 1), [3, 2, 4]).saved }),
    range(SHAPE, '"saved" expected 3 channels, got 2'),
  ],
];

for (const [call, expected] of CASES) {
  test(expected.message, () => {
    const f = fixture();
    expectRejected(() => call(f), [f.layer, f.x, f.residual, f.out, f.big, f.accumulate, dy], expected);
    expect(f.layer.backward(dy)).toEqual(expectedGradients);
  });
}
