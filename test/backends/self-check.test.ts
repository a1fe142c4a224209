// The results that the self-check compares. generated.test.ts says when its hashes are stale.
import { describe, expect, test } from "vitest";
import { oracle } from "../../src/backends/oracle/oracle.js";
import { cases } from "../../src/backends/self-check/cases.js";
import { resultsOf } from "../../src/backends/self-check/run.js";
import { widen } from "../../src/base/storage.js";
import { DTYPES } from "../../src/base/types.js";

describe.each(DTYPES)("%s", (dtype) => {
  test.each([false, true])("no result is NaN, whose payload a hash would see (weights: %s)", (isWeighted) => {
    for (const one of cases(dtype, isWeighted)) {
      // There every NaN has one payload.
      if (one.data === "special") continue;
      for (const [name, values] of resultsOf(oracle, one)) {
        const numbers = values instanceof Uint16Array ? widen(dtype, values) : values;
        expect(numbers.includes(NaN), `${name} ${JSON.stringify(one.extent)}`).toBe(false);
      }
    }
  });
});
