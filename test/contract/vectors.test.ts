// The test vectors on the page of the contract: the page and the specification cannot differ.
import { describe, expect, test } from "vitest";
import { numbersOf, readVectors, resultsOf } from "./vectors.js";

const vectors = readVectors();

test("the page has its vectors", () => {
  expect(vectors.length).toBeGreaterThan(12);
});

describe.each(vectors.map((vector) => [vector.title, vector] as const))("%s", (_, vector) => {
  const results = resultsOf(vector);

  test.each([...vector.expected])("%s", (name, text) => {
    // toEqual tells +0 from −0 and takes NaN for NaN.
    expect(Array.from(results[name]!)).toEqual(numbersOf(text));
  });
});
