// Checks native backends by their digest, without the oracle: node digest.js ROOT IN_USE BACKEND…
// ROOT is the repository, IN_USE the backend that must be chosen here. Last line: "N passed, N failed".
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { backends, candidates } from "../../src/backend.js";
import type { Kernels } from "../../src/kernels.js";
import { referenceOf } from "../case-reference.js";
import { cases } from "../cases.js";
import { Digest, differences, type DigestFile } from "../digest.js";
import { runCase } from "../kernel-runner.js";

const [root, inUse, ...names] = process.argv.slice(2);
if (root === undefined || inUse === undefined) throw new RangeError("usage: node digest.js ROOT IN_USE BACKEND…");
const expected = JSON.parse(readFileSync(join(root, "test", "digest.json"), "utf8")) as DigestFile;

let passed = 0;
let failed = 0;
function check(faults: readonly string[], count: number): void {
  failed += faults.length;
  passed += count - faults.length;
  for (const fault of faults.slice(0, 10)) console.log(fault);
}

/** The unfused kernels by their hashes; then all six, guarded, misaligned and in place, against the unfused. */
function checkBackend(name: string, kernels: Kernels): void {
  const digest = new Digest();
  const faults: string[] = [];
  for (const one of cases) {
    const reference = referenceOf(one, kernels);
    digest.add(reference);
    faults.push(...runCase(kernels, reference).faults.slice(0, 1));
  }
  const prefix = (fault: string): string => `${name}: ${fault}`;
  check(faults.map(prefix), cases.length);
  check(differences(expected.hashes, digest.result()).map(prefix), Object.keys(expected.hashes).length);
}

const chosen = backends().find(({ status }) => status === "in use")?.name;
check(chosen === inUse ? [] : [`in use expected ${inUse}, got ${chosen}`], 1);
for (const name of names) {
  const candidate = candidates.find((one) => one.name === name);
  if (!candidate) throw new RangeError(`no backend "${name}"`);
  checkBackend(name, candidate.load());
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
