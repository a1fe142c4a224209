// How much the self-check of WASM sees: a module with any one instruction changed must be rejected, end by itself, or be
// right. One with other arithmetic on vectors must always be rejected.
import { expect, test } from "vitest";
import { KERNEL_NAMES } from "../../src/kernels/operands.js";
import { random } from "../../src/verify/data.js";
import { checkMeans, instantiate } from "../../src/backends/wasm/wasm.js";
import { DTYPES } from "../../src/base/types.js";
import { faultOf } from "../support/fault.js";
import { chosenOf, isExhaustive, seed } from "../support/sample.js";
import { tryModules } from "../support/wasm-children.js";
import { wasmBytes, wasmMutants } from "../support/wasm-mutants.js";

const mutants = wasmMutants();

/** What the package finds wrong with a module. */
function faultOfModule(bytes: Uint8Array<ArrayBuffer>): string | null {
  const module = new WebAssembly.Module(bytes);
  return faultOf(
    instantiate(module),
    DTYPES,
    checkMeans(() => module),
  );
}

test("the module as built passes, with its own tools and with those in JavaScript", () => {
  expect(faultOfModule(wasmBytes())).toBeNull();
  expect(faultOf(instantiate(new WebAssembly.Module(wasmBytes())))).toBeNull();
});

test("a rejected module's kernel and element are named", () => {
  const { bytes } = mutants.find(({ isVector }) => isVector)!;
  const fault = faultOfModule(bytes);
  expect(fault).toMatch(new RegExp(`^(${KERNEL_NAMES.join("|")}): \\w+\\[\\d+\\] expected \\S+, got \\S+ \\(`));
});

/** Continuous integration tries this many as well; BATCHNORM_MUTANTS sets another number. */
const MUTANTS = Number(process.env["BATCHNORM_MUTANTS"] ?? (isExhaustive ? 300 : 20));

test(`a changed SIMD operation is noticed: ${MUTANTS}, seed ${seed}`, async () => {
  const own = mutants.filter(({ isVector }) => isVector);
  expect(own.length).toBeGreaterThan(500);
  const chosen = chosenOf(own, MUTANTS, ({ kind }) => [kind], random(seed));
  const { wrong, right, partlyWrong } = await tryModules(own.filter((_, index) => chosen.has(index)));
  console.log(`noticed for one element type, and not for another: ${partlyWrong.join("\n")}`);
  expect({ wrong, right }).toEqual({ wrong: [], right: 0 });
});

test(`a changed load, store, integer or branch is noticed, or changes no result: ${MUTANTS}, seed ${seed}`, async () => {
  const own = mutants.filter(({ isVector }) => !isVector);
  expect(own.length).toBeGreaterThan(4000);
  const chosen = chosenOf(own, MUTANTS, ({ kind }) => [kind], random(seed));
  const tally = await tryModules(own.filter((_, index) => chosen.has(index)));
  const wrong = [...tally.wrong, ...tally.partlyWrong];
  console.log(
    `of ${own.length} mutants: ${JSON.stringify({ ...tally, wrong, partlyWrong: tally.partlyWrong.length })}`,
  );
  // Some show in shapes that the self-check does not have (docs/proof.md).
  expect(wrong.length, wrong.join("\n")).toBeLessThanOrEqual(Math.ceil(MUTANTS / 10));
});
