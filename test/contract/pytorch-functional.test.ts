// PyTorch's functional forms on seeded float64 data (scripts/torch/functional.py) through the stateless calls.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormInference,
  batchNormMoments,
  batchNormTraining,
  type BackendName,
} from "../../src/index.js";
import { updateRunning, variance } from "../../src/math.js";
import { backendsUnderTest } from "../support/backends.js";

type Lists<K extends string> = Readonly<Record<K, readonly number[]>>;
type Form = Lists<"y" | "saveMean" | "saveInvStd" | "runningMean" | "runningVar" | "dx" | "dweight" | "dbias">;
interface Case {
  readonly given: { readonly shape: readonly number[]; readonly momentum: number; readonly eps: number } & Lists<
    "x" | "dy" | "weight" | "bias" | "runningMean" | "runningVar"
  >;
  readonly updateStats: Lists<"mean" | "variance" | "runningMean" | "runningVar">;
  readonly training: Form;
  readonly inference: Form;
}
const file = new URL("../vectors/functional.jsonl", import.meta.url);
const { cases } = JSON.parse(readFileSync(file, "utf8")) as { cases: readonly Case[] };

const table = (values: readonly number[]): Float64Array => Float64Array.from(values);

/** Within some roundings of float64 of the largest value. */
function near(got: ArrayLike<number> | null, wanted: readonly number[]): void {
  const scale = Math.max(1, ...wanted.map(Math.abs));
  expect(got).toHaveLength(wanted.length);
  wanted.forEach((value, i) => expect(Math.abs(got![i]! - value)).toBeLessThan(64 * Number.EPSILON * scale));
}

describe.each(backendsUnderTest.filter(({ kernels }) => kernels !== null))("$name", ({ name }) => {
  const backend = name as BackendName;
  describe.each(cases.map((one) => [one.given.shape.join("×"), one] as const))("%s", (_, one) => {
    const { shape, momentum, eps, ...lists } = one.given;
    const [x, dy, weight, bias] = [lists.x, lists.dy, lists.weight, lists.bias].map(table) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const running = (): [Float64Array, Float64Array] => [table(lists.runningMean), table(lists.runningVar)];

    test("batch_norm_update_stats", () => {
      const moments = batchNormMoments(x, shape, { backend });
      near(moments.mean, one.updateStats.mean);
      near(variance(moments, 0), one.updateStats.variance);
      const [mean, moved] = running();
      updateRunning(mean, moments.mean, momentum);
      updateRunning(moved, variance(moments), momentum);
      near(mean, one.updateStats.runningMean);
      near(moved, one.updateStats.runningVar);
    });

    test("native_batch_norm with the batch's statistics", () => {
      const { training } = one;
      const { output, saved } = batchNormTraining(x, shape, { weight, bias, eps, backend });
      near(output, training.y);
      near(saved.mean, training.saveMean);
      near(saved.invStd, training.saveInvStd);
      const { gradInput, gradWeight, gradBias } = batchNormBackward(dy, saved, { backend });
      near(gradInput, training.dx);
      near(gradWeight, training.dweight);
      near(gradBias, training.dbias);
    });

    test("native_batch_norm with given running statistics", () => {
      const { inference } = one;
      const [runningMean, runningVar] = running();
      const options = { weight, bias, eps, runningMean, runningVar, save: true, backend } as const;
      const { output, saved } = batchNormInference(x, shape, options);
      near(output, inference.y);
      const { gradInput, gradWeight, gradBias } = batchNormBackward(dy, saved, { backend });
      near(gradInput, inference.dx);
      near(gradWeight, inference.dweight);
      near(gradBias, inference.dbias);
      expect([...runningMean]).toEqual(inference.runningMean);
    });

    test("a layer moves its running statistics alike", () => {
      const bn = new BatchNorm(shape[1]!, { dtype: "float64", momentum, eps, backend });
      bn.runningMean!.set(lists.runningMean);
      bn.runningVar!.set(lists.runningVar);
      bn.forward(x, shape);
      near(bn.runningMean, one.training.runningMean);
      near(bn.runningVar, one.training.runningVar);
    });
  });
});
