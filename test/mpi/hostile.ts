// Calls of the addon and of the group with arguments that are wrong. Each must throw, and none may end the process.
import { Worker } from "node:worker_threads";
import { loadMpiAddon, type MpiAddon } from "../../src/mpi/addon.js";
import { mpiGroup } from "../../src/mpi.js";

type Loose = Record<string, (...args: unknown[]) => unknown>;

const found: string[] = [];

function refused(what: string, call: () => unknown): void {
  try {
    call();
    found.push(`${what} was taken`);
  } catch (error) {
    if (!(error instanceof Error)) found.push(`${what} threw ${String(error)}`);
  }
}

/** Zero values, since its buffer was taken away. */
function detached(): Float64Array {
  const values = new Float64Array(8);
  structuredClone(values, { transfer: [values.buffer] });
  return values;
}

const VALUES: readonly unknown[] = [
  ...[undefined, null, true, -1, 0.5, 1e9, NaN, Infinity, 2 ** 32, 7n, "0", Symbol("0"), {}, [], () => 0],
  ...[new Float32Array(4), new Uint8Array(8), new DataView(new ArrayBuffer(8)), new ArrayBuffer(8), new Proxy([], {})],
];

const addon: MpiAddon = loadMpiAddon();
const loose = addon as unknown as Loose;
const WITH_HANDLE = Object.keys(loose).filter(
  (name) => typeof loose[name] === "function" && !["open", "library", "abandon", "finalize"].includes(name),
);

// Before MPI has started.
for (const name of WITH_HANDLE) refused(`${name} before open`, () => loose[name]!(0, new Float64Array(1), 0, ""));

const group = mpiGroup({ timeout: 1000 });
const handle = 0;
for (const name of WITH_HANDLE) {
  refused(`${name}()`, () => loose[name]!());
  for (const value of VALUES.filter((one) => one !== 0.5 && one !== 2 ** 32 && !Number.isNaN(one) && one !== Infinity))
    refused(`${name}(${typeof value})`, () => loose[name]!(value, new Float64Array(1), 0, ""));
}
for (const value of VALUES) {
  refused(`start of ${typeof value}`, () => loose["start"]!(handle, value));
  refused(`split of ${typeof value}`, () => loose["split"]!(handle, value));
  if (typeof value !== "number") refused(`wait of ${typeof value}`, () => loose["wait"]!(handle, value));
  if (typeof value !== "number") refused(`tell of ${typeof value}`, () => loose["tell"]!(handle, 0, value, ""));
  if (typeof value !== "string") refused(`text of ${typeof value}`, () => loose["tell"]!(handle, 0, 0, value));
  if (value !== true) refused(`group of ${typeof value}`, () => group.allGather(value as Float64Array));
  refused(`ranks of ${typeof value}`, () => group.split(value as number[]));
}
for (const ranks of [[], [1], [0, 0], [-1], [0, 2 ** 31 - 1]]) {
  refused(`split(${ranks.join()})`, () => addon.split(handle, Int32Array.from(ranks)));
  refused(`group.split(${ranks.join()})`, () => group.split(ranks));
}
for (const kind of [-1, 3, 2 ** 31]) refused(`kind ${kind}`, () => loose["tell"]!(handle, kind, 0, ""));
for (const timeout of [-1, NaN, "1", null]) {
  refused(`timeout ${timeout}`, () => mpiGroup({ timeout: timeout as number }));
  refused(`limit ${timeout}`, () => group.allGather(new Float64Array(1), { timeout: timeout as number }));
}
refused("another option", () => mpiGroup({ tiemout: 1 } as object));
refused("a detached array", () => group.allGather(detached()));

// Two at once, and what was not gathered.
addon.start(handle, Float64Array.of(1));
refused("a second start", () => addon.start(handle, Float64Array.of(2)));
refused("a result before its end", () => addon.result(handle));
refused("a close before its end", () => addon.close(handle));
while (addon.wait(handle, 1000) === 0);
if (addon.result(handle)[0] !== 1) found.push("a wrong result");
if (addon.start(handle, detached()) < 1 || addon.wait(handle, 1000) !== 1 || addon.result(handle).length !== 0)
  found.push("a detached array is not an empty one");
const long = "ä".repeat(1000);
addon.tell(handle, 0, 1, long);

const pending = group.allGatherAsync(new Float64Array(2));
refused("blocking while one is pending", () => group.allGather(new Float64Array(1)));
refused("close while one is pending", () => group.close());
await pending;

// Another thread has no MPI, and takes none away when it ends.
const code = `
  const { parentPort, workerData } = require("node:worker_threads");
  const module = { exports: {} };
  process.dlopen(module, workerData);
  let message;
  try { module.exports.open(); } catch (error) { message = error.message; }
  try { module.exports.start(0, new Float64Array(1)); message += "; taken"; } catch {}
  module.exports.abandon();
  module.exports.finalize();
  parentPort.postMessage(message);`;
const file = `${process.env["BATCHNORM_MPI"]}/batchnorm-mpi.node`;
const message = await new Promise((resolve) => {
  const worker = new Worker(code, { eval: true, workerData: file });
  worker.once("message", (text) => worker.once("exit", () => resolve(text)));
});
if (message !== "batchnorm/mpi: MPI is used by another thread of this process") found.push(String(message));
if (group.allGather(Float64Array.of(5))[0] !== 5) found.push("the thread took MPI away");

// Enough groups for a table that is too small.
refused("too many groups", () => {
  for (let i = 0; i < 3000; i++) addon.wait(addon.open(), 1000);
});
addon.finalize();
refused("a gather after the end", () => group.allGather(Float64Array.of(5)));
refused("a group after the end", () => mpiGroup());
for (const text of found) console.log(text);
if (found.length === 0) console.log("all refused");
