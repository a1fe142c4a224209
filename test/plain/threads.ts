// Native kernels on three threads against themselves on one, for ThreadSanitizer: node threads.js ADDON SET…
import { blockCount } from "../../src/kernels/control.js";
import { cases, sizeOf } from "../../src/verify/cases.js";
import { referenceOf } from "../../src/verify/case-reference.js";
import { runCase } from "../support/kernel-runner.js";
import { sharing } from "../support/sharing.js";
import { kernelsOf, type AddonKernels } from "../support/addon-kernels.js";

/** One case in ten, and all that have several groups to share; the largest take too long under a sanitizer. */
const CASES = cases.filter(
  (one) => sizeOf(one.extent) <= 2 ** 17 && (one.index % 10 === 0 || blockCount(one.extent, one.walk) > 32),
);

const [path, ...names] = process.argv.slice(2);
if (path === undefined) throw new RangeError("usage: node threads.js ADDON SET…");
const addon: { exports: { instructionSets?: Record<string, AddonKernels> } } = { exports: {} };
process.dlopen(addon, path);

let failed = 0;
for (const name of names) {
  const kernels = kernelsOf(addon.exports.instructionSets![name]!);
  const faults = CASES.flatMap((one) => runCase(sharing(kernels), referenceOf(one, kernels)).faults);
  for (const fault of faults.slice(0, 10)) console.log(`${name}: ${fault}`);
  console.log(`${name}: ${CASES.length - faults.length} cases passed, ${faults.length} faults`);
  failed += faults.length;
}
process.exitCode = failed > 0 ? 1 : 0;
