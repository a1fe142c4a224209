// The self-check's hashes are those of the oracle.
import { describe, expect, test } from "vitest";
import { oracle } from "../../src/backends/oracle/oracle.js";
import { HASHES, WEIGHTED_HASHES } from "../../src/backends/self-check/self-check.js";
import { cases } from "../../src/backends/self-check/cases.js";
import { hashOf, resultsOf } from "../../src/backends/self-check/run.js";
import { widen } from "../../src/base/storage.js";
import { DTYPES } from "../../src/base/types.js";

const checks = DTYPES.flatMap((dtype) => [
  { name: dtype, dtype, isWeighted: false, expected: HASHES[dtype] },
  { name: `${dtype} with weights`, dtype, isWeighted: true, expected: WEIGHTED_HASHES[dtype] },
]);

describe.each(checks)("$name", ({ dtype, isWeighted, expected }) => {
  test("the oracle's results have the hashes that backends are held to", () => {
    const hashes = [...cases(dtype, isWeighted)].map((one) => hashOf(oracle, one));
    const list = hashes.map((hash) => `0x${hash.toString(16)}`).join(", ");
    expect(expected, `src/backends/self-check/self-check.ts expected [${list}]`).toEqual(hashes);
  });

  test("no result is NaN, whose payload a hash would see", () => {
    for (const one of cases(dtype, isWeighted)) {
      for (const [name, values] of resultsOf(oracle, one)) {
        const numbers = values instanceof Uint16Array ? widen(dtype, values) : values;
        expect(numbers.some(Number.isNaN), `${name} ${JSON.stringify(one.extent)}`).toBe(false);
      }
    }
  });
});
