// The activations that are no rectifiers: every kernel of every backend against the oracle, bit for bit.
import { expect, test } from "vitest";
import { Kind, Traversal } from "../../src/kernels/layout.js";
import { backendsUnderTest, reportMissing, sharingNative, smallWasm, arenaWasm } from "../support/backends.js";
import { curveCases } from "../../src/verify/cases.js";
import { referenceOf } from "../../src/verify/case-reference.js";
import { isStoredIn16Bits } from "../../src/base/types.js";
import { runCase } from "../support/kernel-runner.js";
import { sample } from "../support/sample.js";

const chosen = sample(
  "cases of every activation",
  curveCases,
  120,
  ({ traversal, dtype, activationKind, residual }) => [
    `${traversal} ${dtype} ${activationKind}`,
    `${activationKind} ${residual}`,
  ],
);
const references = chosen.map((one) => referenceOf(one));

test("the cases have every activation in every traversal, with every mask", () => {
  const met = new Set(curveCases.map((one) => `${one.activationKind} ${one.traversal} ${one.residual} ${one.fixed}`));
  expect(met.size).toBe((Object.keys(Kind).length - 1) * Object.keys(Traversal).length * 4);
});

reportMissing();

for (const { name, kernels, has16Bit } of [...backendsUnderTest, ...sharingNative(), ...smallWasm(), ...arenaWasm()]) {
  if (!kernels) continue;
  test(name, () => {
    const own = references.filter(({ test: one }) => has16Bit || !isStoredIn16Bits(one.dtype));
    const outcomes = own.map((reference) => runCase(kernels, reference));
    expect(outcomes.flatMap(({ faults }) => faults).slice(0, 10)).toEqual([]);
    expect(outcomes.reduce((sum, { elements }) => sum + elements, 0)).toBeGreaterThan(1000);
  });
}
