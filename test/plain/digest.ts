// Checks native backends by their digest, without the oracle: node digest.js IN_USE BACKEND…
// IN_USE is the backend that must be chosen here. Last line: "N passed, N failed".
import { backends } from "../../src/backends/backend.js";
import { candidates, supports } from "../../src/backends/candidates.js";
import type { DType } from "../../src/base/types.js";
import { cases, halfCases, type Case } from "../../src/verify/cases.js";
import { differences, digestsOf, type Hashes } from "../../src/verify/digest.js";
import { expected } from "../../src/verify/expected.js";
import { runCase } from "../support/kernel-runner.js";

const [inUse, ...names] = process.argv.slice(2);
if (inUse === undefined) throw new RangeError("usage: node digest.js IN_USE BACKEND…");

/** The kernel runner's own checks, guards and misaligned and in-place operands, on one case in so many: natively they run on all. */
const GUARDED = 4;

let passed = 0;
let failed = 0;
function check(faults: readonly string[], count: number): void {
  failed += faults.length;
  passed += count - faults.length;
  for (const fault of faults.slice(0, 10)) console.log(fault);
}

/** The committed hashes of the groups whose cases are of these. */
function expectedOf(list: readonly Case[]): Hashes {
  const types = new Set(list.map(({ dtype }) => dtype));
  return Object.fromEntries(
    Object.entries(expected.hashes).filter(([group]) => types.has(group.split(" ")[1] as DType)),
  );
}

/** The unfused kernels by their hashes; then all kernels, guarded, misaligned and in place, against the unfused. */
function checkBackends(list: readonly (typeof candidates)[number][], cases: readonly Case[]): void {
  const hashes = expectedOf(cases);
  const loaded = list.map(({ name, load }) => ({ name, kernels: load(), faults: [] as string[] }));
  const all = loaded.map(({ kernels }) => kernels);
  const digests = digestsOf(all, cases, (kernels, reference) => {
    if (reference.test.index % GUARDED !== 0) return;
    const [fault] = runCase(kernels, reference).faults;
    if (fault !== undefined) loaded[all.indexOf(kernels)]!.faults.push(fault);
  });
  for (const [i, { name, faults }] of loaded.entries()) {
    const prefix = (fault: string): string => `${name}: ${fault}`;
    check(faults.map(prefix), cases.filter(({ index }) => index % GUARDED === 0).length);
    check(differences(hashes, digests[i]!).map(prefix), Object.keys(hashes).length);
  }
}

const chosen = backends().find(({ status }) => status === "in use")?.name;
check(chosen === inUse ? [] : [`in use expected ${inUse}, got ${chosen}`], 1);
const list = names.map((name) => {
  const candidate = candidates.find((one) => one.name === name);
  if (!candidate) throw new RangeError(`no backend "${name}"`);
  return candidate;
});
checkBackends(list, cases);
const of16Bits = list.filter((one) => supports(one, "float16"));
if (of16Bits.length > 0) checkBackends(of16Bits, halfCases);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
