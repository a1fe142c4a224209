// How much the self-check sees: a WASM module with any one SIMD operation changed must be rejected.
import { expect, test } from "vitest";
import { KERNEL_NAMES } from "../../src/kernels/operands.js";
import { instantiate } from "../../src/backends/wasm/wasm.js";
import { faultOf } from "../support/fault.js";
import { sample } from "../support/sample.js";
import { wasmBytes, wasmMutants } from "../support/wasm-mutants.js";

test("the module as built passes", () => {
  expect(faultOf(instantiate(new WebAssembly.Module(wasmBytes())))).toBeNull();
});

test("every changed SIMD operation is noticed, with kernel and element named", () => {
  const mutants = wasmMutants();
  expect(mutants.length).toBeGreaterThan(100);
  const survivors: string[] = [];
  const tried = sample("changed SIMD operations", mutants, 100, ({ name }) => [name.split(" at ")[0]!]);
  for (const { name, bytes } of tried) {
    const fault = faultOf(instantiate(new WebAssembly.Module(bytes)));
    if (fault === null) survivors.push(name);
    else expect(fault).toMatch(new RegExp(`^(${KERNEL_NAMES.join("|")}): \\w+\\[\\d+\\] expected \\S+, got \\S+ \\(`));
  }
  console.log(`${tried.length} of ${mutants.length} mutants, ${survivors.length} survive`);
  expect(survivors).toEqual([]);
});
