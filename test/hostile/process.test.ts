// Hostile calls in a process of their own, so that a crash or a hang is a failure with its signal: random arguments by the
// hundred thousand, and memory that a worker writes to during the calls.
import { describe, expect, test } from "vitest";
import { hasNative, isAvailable } from "../support/backends.js";
import { addonPath } from "../support/addon.js";
import { runTally, type Tally } from "../support/run-tally.js";
import { isExhaustive, seed } from "../support/sample.js";

const ALL = 100_000;
const CALLS = isExhaustive ? ALL : ALL / 5;
/** Under sanitizers all of these calls are made. */
const EVERY = isExhaustive ? 4 : 10;
const SEED = isExhaustive ? 20261123 : seed;
const path = addonPath() ?? "";
const noAddon = path === "" || !hasNative;

/** The tally of a script that ended well and had nothing to say of it. */
function run(script: string, ...args: readonly (string | number)[]): Tally {
  const { tally, stderr } = runTally(script, ...args);
  expect(stderr.slice(0, 2000)).toBe("");
  console.log(`${script} ${args.slice(-2).join(" ")}: ${JSON.stringify(tally).slice(0, 120)}`);
  return tally;
}

describe.skipIf(noAddon)("the addon's entry points", () => {
  test("a tensor of 2^53 empty runs is done at once", () => {
    expect(run("empty-runs.ts", path)).toEqual({ calls: expect.any(Number) as number });
  });

  test(`every kernel and traversal on every shape, one call in ${EVERY}, seed ${SEED}: refused but for the shape's own`, () => {
    const { calls, returned, refused } = run("../plain/every-shape.ts", path, EVERY, SEED);
    expect(returned! + refused!).toBe(calls);
    expect(refused).toBeGreaterThan(1.5 * returned!);
    expect(returned).toBeGreaterThan(1000);
  });

  test(`${CALLS} of ${ALL} calls with random arguments, seed ${SEED}`, () => {
    const { results, errors, escapes, messages } = run("hostile-calls.ts", path, CALLS, SEED);
    expect(results! + errors!).toBe(CALLS);
    expect(escapes).toBe(0);
    // Neither half may be empty, and every check must have had its turn.
    expect(results).toBeGreaterThan(0.3 * CALLS);
    expect(errors).toBeGreaterThan(0.2 * CALLS);
    expect(messages!.length).toBeGreaterThan(50);
  });

  test("control block and data written by a worker", () => {
    const { results, errors, escapes, hammered } = run("hammered-calls.ts", path, 6000);
    // How many find the block as it should be depends on how the two threads are scheduled.
    expect(results).toBeGreaterThan(100);
    expect(errors).toBeGreaterThan(100);
    expect(hammered).toBeGreaterThan(1000);
    expect(escapes).toBe(0);
  });
});

test(`${CALLS} of ${ALL} public calls with random arguments, seed ${SEED}`, () => {
  const backends = ["native", "wasm"].filter((name) => (name === "native" ? hasNative : isAvailable(name)));
  const { results, errors, escapes, messages } = run("hostile-layers.ts", CALLS / 2, SEED, ...backends, "oracle");
  expect(results! + errors!).toBe(CALLS);
  expect(escapes).toBe(0);
  expect(Math.min(results!, errors!)).toBeGreaterThan(0.3 * CALLS);
  expect(messages!.length).toBeGreaterThan(5);
});

describe("public calls on data written by a worker", () => {
  const names = ["native", "wasm", "oracle"].filter((name) => (name === "native" ? hasNative : isAvailable(name)));
  test.each(names)("%s", (name) => {
    const { results, errors, escapes, hammered } = run("hammered-calls.ts", name, name === "oracle" ? 200 : 1000);
    expect(results).toBe(name === "oracle" ? 800 : 4000);
    expect(errors).toBe(0);
    expect(hammered).toBeGreaterThan(100);
    expect(escapes).toBe(0);
  });
});
