// Asynchronous calls end well whatever ends them: signals, the end of a worker, the end of the process.
import { describe, expect, test } from "vitest";
import { hasNative, isAvailable } from "../support/backends.js";
import { runTally, type Tally } from "../support/run-tally.js";
import { isExhaustive } from "../support/sample.js";

const ALL = 10_000;
const ROUNDS = isExhaustive ? 1000 : 200;

const BACKENDS = [...(hasNative ? ["native"] : []), ...(isAvailable("wasm") ? ["wasm"] : [])];

function run(mode: string, count: number, backend: string): Tally {
  const { tally, stderr } = runTally("async-ends.ts", mode, count, backend);
  // An unhandled rejection would be here.
  expect(stderr).toBe("");
  return tally;
}

describe.each(BACKENDS)("%s", (backend) => {
  test(`${ROUNDS} of ${ALL} rounds of calls that are aborted at any moment`, () => {
    const { fulfilled, aborted, other, same } = run("abort", ROUNDS, backend);
    expect(fulfilled! + aborted!).toBe(3 * ROUNDS);
    expect({ other, same }).toEqual({ other: 0, same: Math.ceil(ROUNDS / 20) });
    expect(aborted).toBeGreaterThan(ROUNDS / 4);
  });

  test("workers that are ended while their calls run", () => {
    const rounds = isExhaustive ? 20 : 6;
    expect(run("workers", rounds, backend)).toEqual({ ended: rounds, tracked: 1 });
  });

  test("a process that ends waits for its calls", () => {
    expect(run("left", 0, backend).pending).toBe(2);
  });

  test.each([0, 1, 3, 6])("a process that exits after %i turns", (turns) => {
    expect(run("exit", turns, backend)).toEqual({ turns });
  });

  test("memory is given back", () => {
    const { heap, buffers, external } = run("memory", 60, backend);
    expect(heap).toBeLessThan(2 ** 20);
    expect(Math.max(buffers!, external!)).toBeLessThan(2 ** 24);
  });
});
