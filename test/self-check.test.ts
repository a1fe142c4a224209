// The self-check's hashes are those of the oracle.
import { describe, expect, test } from "vitest";
import { oracle } from "../src/oracle.js";
import { HASHES } from "../src/self-check.js";
import { cases, hashOf, resultsOf } from "../src/self-check-cases.js";
import { widen } from "../src/storage.js";
import { DTYPES } from "../src/types.js";

describe.each(DTYPES)("%s", (dtype) => {
  test("the oracle's results have the hashes that backends are held to", () => {
    const hashes = [...cases(dtype)].map((one) => hashOf(oracle, one));
    const list = hashes.map((hash) => `0x${hash.toString(16)}`).join(", ");
    expect(HASHES[dtype], `src/self-check.ts expected [${list}]`).toEqual(hashes);
  });

  test("no result is NaN, whose payload a hash would see", () => {
    for (const one of cases(dtype)) {
      for (const [name, values] of resultsOf(oracle, one)) {
        const numbers = values instanceof Uint16Array ? widen(dtype, values) : values;
        expect(numbers.some(Number.isNaN), `${name} ${JSON.stringify(one.extent)}`).toBe(false);
      }
    }
  });
});
