// The self-check's hashes are those of the oracle.
import { expect, test } from "vitest";
import { oracle } from "../src/oracle.js";
import { HASHES } from "../src/self-check.js";
import { cases, hashOf, resultsOf } from "../src/self-check-cases.js";

test("the oracle's results have the hashes that backends are held to", () => {
  const hashes = [...cases()].map((one) => hashOf(oracle, one));
  expect(HASHES, `src/self-check.ts expected [${hashes.map((hash) => `0x${hash.toString(16)}`).join(", ")}]`).toEqual(
    hashes,
  );
});

test("no result is NaN, whose payload a hash would see", () => {
  for (const one of cases()) {
    for (const [name, values] of resultsOf(oracle, one))
      expect(values.some(Number.isNaN), `${name} ${one.dtype} ${JSON.stringify(one.extent)}`).toBe(false);
  }
});
