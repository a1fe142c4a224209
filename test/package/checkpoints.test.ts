// The code of docs/checkpoints.md, run. In a context of its own: its arrays and objects are of another realm.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import * as batchnorm from "../../src/index.js";
import { root } from "../support/package-copy.js";

const page = readFileSync(join(root, "docs", "checkpoints.md"), "utf8");
const code = [...page.matchAll(/```js\n([^]*?)```/g)].map(([, block]) => block!.replace(/^import .*\n/, "")).join("\n");

/** Names that the page uses and does not make. */
const GIVEN = `
const entries = { weight: 2, bias: 3, running_mean: 4, running_var: 5 };
const model = new Map(Object.entries(entries).map(([name, value]) => ["bn1." + name, new Array(64).fill(value)]));
const tensor = (value) => ({ data: new Float32Array(64).fill(value), shape: [64] });
const weights = { gamma: tensor(2), beta: tensor(3), moving_mean: tensor(4), moving_variance: tensor(5) };
`;

interface Page extends batchnorm.IncompatibleKeys {
  readonly bn: batchnorm.BatchNorm;
  readonly restored: batchnorm.BatchNorm;
  readonly first: batchnorm.BatchNorm;
  readonly keras: batchnorm.BatchNorm;
  readonly forPython: string;
  readonly bits: Uint16Array;
  readonly values: Float32Array;
}

test("the code of docs/checkpoints.md does what the page says", () => {
  const names = "bn, restored, first, keras, missingKeys, unexpectedKeys, forPython, bits, values";
  const it = runInNewContext(`${GIVEN}${code}; ({ ${names} })`, { ...batchnorm }) as Page;
  const filled = (value: number): Float32Array => new Float32Array(64).fill(value);
  const expected = { weight: filled(2), bias: filled(3), running_mean: filled(4), running_var: filled(5) };
  expect(it.restored.stateDict()).toEqual(it.bn.stateDict());
  for (const layer of [it.first, it.keras]) expect(layer.stateDict()).toEqual({ ...expected, num_batches_tracked: 0 });
  expect([it.missingKeys, it.unexpectedKeys]).toEqual([
    ["bn2.weight", "bn2.bias", "bn2.running_mean", "bn2.running_var"],
    [],
  ]);
  expect(JSON.parse(String(it.forPython))).toMatchObject({
    running_var: new Array(64).fill(1),
    num_batches_tracked: 0,
  });
  expect(it.bits).toEqual(Uint16Array.of(0x3f80, 0x3dcd));
  expect(it.values).toEqual(Float32Array.of(1, 0.10009765625));
});
