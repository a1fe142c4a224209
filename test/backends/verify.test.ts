// batchnorm/verify: what is right passes, and one wrong bit in one case of all is reported.
import { describe, expect, onTestFinished, test } from "vitest";
import { backends } from "../../src/backends/backend.js";
import { candidates, outcomeOf } from "../../src/backends/candidates.js";
import type { Kernels } from "../../src/kernels/kernels.js";
import { loadWasm } from "../../src/backends/wasm/wasm.js";
import { cases, halfCases } from "../../src/verify/cases.js";
import { expected } from "../../src/verify/expected.js";
import { Hash64 } from "../../src/verify/hash.js";
import { verify, type BackendName, type VerifyOptions } from "../../src/verify.js";
import { root, runModule } from "../support/package-copy.js";

const available = backends().filter(({ status }) => status === "in use" || status === "available");
const best = available[0]!.name;
const all = cases.length + halfCases.length;
const hashes = Object.keys(expected.hashes).length;

/** Puts kernels in the place of the WASM backend's. */
function replaceWasm(kernels: Kernels): void {
  const outcome = outcomeOf(candidates.find(({ name }) => name === "wasm")!);
  const { loaded } = outcome;
  Object.assign(outcome, { loaded: { kernels, reason: null } });
  onTestFinished(() => void Object.assign(outcome, { loaded }));
}

const flip = (data: ArrayBufferView): void => {
  new Uint8Array(data.buffer, data.byteOffset)[0]! ^= 1;
};

describe("what is right", () => {
  test("passes, case by case, on every backend but the oracle", () => {
    const progress: [number, number][] = [];
    const found = verify({ backends: [best, "wasm", best], onProgress: (...counts) => void progress.push(counts) });
    expect(found.map(({ backend, failed, differences }) => [backend, failed, differences])).toEqual(
      [...new Set([best, "wasm"])].map((name) => [name, 0, []]),
    );
    // Four fused kernels a case, and the committed hashes.
    expect(found.at(-1).passed).toBe(4 * all + hashes);
    expect(progress).toEqual(Array.from({ length: all }, (_, i) => [i + 1, all]));
  });
});

test("one bit of one result is reported, in unfused and fused kernels", () => {
  const wasm = loadWasm();
  // A case calls gradSums twice, first without weights: the 99th is what the digest has. The 200th backward with weights is
  // case 199's.
  const calls = { gradSums: 0, backward: 0 };
  replaceWasm({
    ...wasm,
    gradSums: (control, x, dy, residualOrY) => {
      wasm.gradSums(control, x, dy, residualOrY);
      if (++calls.gradSums === 99) flip(control.fields.sumG);
    },
    backward: (control, x, dy, dx, residualOrY, dresidual, w) => {
      wasm.backward(control, x, dy, dx, residualOrY, dresidual, w);
      if (w && ++calls.backward === 200) flip(dx);
    },
  });
  const [{ differences, failed, passed }] = verify({ backends: ["wasm"] }) as [ReturnType<typeof verify>[number]];
  expect(differences).toContainEqual(
    expect.stringMatching(/^planes float32 gradSums expected [0-9a-f]{16}, got [0-9a-f]{16}$/),
  );
  const [dx] = differences.filter((line) => line.startsWith("backward with weights: dx"));
  expect(dx).toMatch(/^backward with weights: dx\[0\] expected \S+, got \S+ — case 199 \(/);
  expect([failed, passed]).toEqual([differences.length, 4 * all + hashes - differences.length]);
});

test("bad options and backends that are not here are refused", () => {
  const loose = (options: unknown) => () => verify(options as VerifyOptions);
  expect(loose({ backend: "wasm" })).toThrow('unknown option "backend"');
  expect(loose({ backends: "wasm" })).toThrow('"backends" expected an array of names, got "wasm"');
  expect(loose({ backends: ["wasn"] })).toThrow('"backends" expected one of');
  expect(loose({ onProgress: 1 })).toThrow('"onProgress" expected a function');
  const missing = candidates.find(({ name }) => !available.some((one) => one.name === name));
  if (missing) expect(() => verify({ backends: [missing.name satisfies BackendName] })).toThrow(/cannot be used/);
  expect(verify({ backends: [] })).toEqual([]);
});

// Without WebAssembly, verify has a WASM backend only where it is the one that the library has loaded.
test.each([
  ["index.js", "verify.js"],
  ["browser.js", "verify-browser.js"],
])("dist/%s and dist/%s have one instance", (index, entry) => {
  const { stdout, stderr } = runModule(
    `import { backends } from "./dist/${index}";
     import { verify } from "./dist/${entry}";
     backends();
     delete globalThis.WebAssembly;
     try { verify({ backends: ["wasm"], onProgress() { throw new Error("one case done"); } }); }
     catch ({ message }) { console.log(message); }`,
    root,
  );
  expect({ stdout, stderr }).toEqual({ stdout: "one case done\n", stderr: "" });
});

describe("the hash", () => {
  const hashOf = (...parts: readonly number[][]): string => {
    const hash = new Hash64();
    for (const part of parts) hash.update(Uint32Array.from(part));
    return hash.digest();
  };

  test("does not depend on how the words come, but on each and on how many", () => {
    expect(hashOf([1, 2, 3])).toBe(hashOf([1], [], [2, 3]));
    const others = [[], [0], [0, 0], [1, 2], [1, 3, 2], [3, 2, 1], [1, 2, 3, 0], [0, 1, 2, 3]];
    expect(new Set([[1, 2, 3], ...others].map((words) => hashOf(words))).size).toBe(others.length + 1);
    expect(hashOf([])).toMatch(/^[0-9a-f]{16}$/);
  });

  test("differs in both halves for any one bit of a word", () => {
    const words = Array.from({ length: 50 }, (_, i) => (i * 2_654_435_761) >>> 0);
    const whole = hashOf(words);
    for (let bit = 0; bit < 32 * words.length; bit++) {
      const changed = hashOf(words.map((word, i) => (i === bit >> 5 ? (word ^ (1 << (bit & 31))) >>> 0 : word)));
      expect(changed.slice(0, 8)).not.toBe(whole.slice(0, 8));
      expect(changed.slice(8)).not.toBe(whole.slice(8));
    }
  });
});
