// PyTorch's batch normalization behind the activations that are no rectifiers (scripts/torch/curves.py) beside the
// library's, on every backend.
import { expect, test } from "vitest";
import {
  batchNormBackward,
  batchNormInference,
  batchNormTraining,
  type Activation,
  type BackendName,
} from "../../src/index.js";
import { allocate, type Floats } from "../../src/base/types.js";
import { usableBackends } from "../support/reference.js";
import { channelsOf, drawn, nextResults, type ActivationCase } from "../vectors/activation-cases.js";
import { distance, lastPlace, magnitude } from "../vectors/compare.js";
import { readVectors } from "../vectors/read.js";

interface CurveCase extends ActivationCase {
  readonly curve: string;
  /** "kinks": it is all that the activation is given. */
  readonly residual: boolean | "kinks";
}

const index = readVectors<CurveCase>("curves");
/** Allowed differences, in units in the last place of the largest magnitude of the array. At kinks there are none. */
const ALLOWED = 32;
const KINKS = [-4, -3, -2, -0.5, 0, 1.25, 2, 3, 4, 6, 7];

const isPrelu = ({ curve }: CurveCase): boolean => curve.startsWith("prelu");

const expected = index.cases.map((one) => ({
  ...nextResults(index, one, one.residual !== false),
  ...(isPrelu(one) && { gradSlope: index.next(one.dtype, one.curve === "prelu" ? channelsOf(one) : 1) }),
}));

function activationOf(one: CurveCase, slopes: Floats): Activation {
  if (one.curve === "hardtanh") return { type: "clamp", min: -0.5, max: 1.25 };
  if (!isPrelu(one)) return one.curve as Activation;
  return { type: "prelu", slope: one.curve === "prelu" ? slopes : slopes.slice(0, 1) };
}

function solve(one: CurveCase, backend: BackendName): Record<string, Floats> {
  const { shape, layout, dtype, training, residual } = one;
  const isKinks = residual === "kinks";
  const { x, dy, running, elements, table } = drawn(one);
  const options = {
    layout,
    backend,
    weight: table(2, (u, c) => (isKinks ? 0 : (c % 3 === 1 ? -2 : 2) * (0.5 + u))),
    bias: table(3, (u) => (isKinks ? 0 : u - 0.5)),
    activation: activationOf(
      one,
      table(7, (u) => u - 0.25),
    ),
    ...(residual && { residual: isKinks ? allocate(dtype, 11).map((_, i) => KINKS[i]!) : elements(6, (z) => z) }),
  };
  const { output, saved } = training
    ? batchNormTraining(x, shape, options)
    : batchNormInference(x, shape, { ...options, ...running, save: true });
  return { y: output, ...batchNormBackward(dy, saved) } as unknown as Record<string, Floats>;
}

test("the vectors are whole", () => {
  expect(index.sha256).toBe(index.provenance.sha256);
  expect(index.cases.length).toBeGreaterThanOrEqual(119);
});

const named = index.cases.map((one, i) => {
  const { shape, layout, dtype, training, curve, residual } = one;
  const mode = `${training ? "training" : "inference"}${residual ? `, residual ${residual}` : ""}`;
  return { name: `${curve} ${shape.join("×")} ${layout} ${dtype} ${mode}`, one, torch: expected[i]! };
});

test.each(named)("$name", ({ one, torch }) => {
  for (const backend of usableBackends) {
    const ours = solve(one, backend);
    expect(Object.keys(ours).sort()).toEqual(Object.keys(torch).sort());
    for (const [name, want] of Object.entries(torch)) {
      const apart = distance(ours[name]!, want);
      // The gradient of slopes is a sum of terms of either sign, of the order of 1.
      const size = name === "gradSlope" ? Math.max(1, magnitude(want)) : magnitude(want);
      const units = apart === 0 ? 0 : apart / lastPlace(size, one.dtype);
      expect(units, `${name} on ${backend}`).toBeLessThanOrEqual(one.residual === "kinks" ? 4 : ALLOWED);
    }
  }
});
