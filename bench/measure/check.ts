// Before a group is timed: every backend's bits on the very tensors, against another's. A wrong one stops the run.
import { backends, type BackendName, type DType } from "batchnorm";
import type { Data } from "../../src/base/types.js";
import { lengthOf, type Operation } from "../shapes.js";
import { makeLayer, runOnce } from "./layer.js";
import { works, type Contender, type Setting } from "../plan.js";
import { operandsIn, type Tensors } from "./tensors.js";

/** Up to here the oracle takes little enough time. */
const SMALL = 2 ** 20;

/** The oracle for small tensors; for large ones a backend written apart from this one: WebAssembly and native. */
export function referenceFor(backend: BackendName, length: number, dtype: DType): BackendName {
  const usable = backends()
    .filter((one) => works(one) && !one.lacks?.includes(dtype))
    .map(({ name }) => name);
  const quick = usable.find((name) => (backend === "wasm" ? name.startsWith("native/") : name === "wasm"));
  return length <= SMALL || quick === undefined ? "oracle" : quick;
}

function bytesOf({ buffer, byteOffset, byteLength }: Data): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function compare(name: string, got: Data, expected: Data): void {
  if (bytesOf(got).equals(bytesOf(expected))) return;
  const at = got.findIndex((value, i) => !Object.is(value, expected[i]));
  // Bytes that differ in no value are NaNs of other payloads: the contract leaves those open.
  if (at >= 0) throw new Error(`${name}[${at}]: ${got[at]}, expected ${expected[at]}`);
}

/** How many threads each call of a contender used, by operation. */
export interface Used {
  readonly contender: Contender;
  readonly operation: Operation;
  readonly threads: number;
  /** Of the call that was checked, the first one. */
  readonly milliseconds: number;
}

/** A call this short may be over before a thread is awake: a few more tell how many work. */
const BRIEF_MS = 10;
const MORE_CALLS = 4;

interface Expected {
  readonly reference: BackendName;
  readonly rest: Record<string, Data | null>;
}

function checkOne(
  setting: Setting,
  tensors: Tensors,
  contender: Contender,
  operation: Operation,
  { reference, rest }: Expected,
): Used {
  const { shape, layout, data } = setting;
  const layer = makeLayer(setting, contender);
  const operands = operandsIn(tensors, contender.memory);
  const start = performance.now();
  const own = runOnce(operation, layer, setting, operands);
  const milliseconds = performance.now() - start;
  const title = `${contender.backend} differs from ${reference} on ${shape.name} ${layout} ${data}, ${operation}: `;
  compare(`${title}output`, operands.out, tensors.expected);
  for (const [name, values] of Object.entries(own)) compare(title + name, values!, rest[name]!);
  let { threads } = layer;
  for (let i = 0; i < MORE_CALLS && milliseconds < BRIEF_MS && threads < contender.threads; i++) {
    runOnce(operation, layer, setting, operands);
    threads = Math.max(threads, layer.threads);
  }
  return { contender, operation, threads, milliseconds };
}

/**
 * Runs each operation on each contender and on its reference, of which `referenceOf` tells the name.
 * @throws Error that names the first element of the first result that differs.
 */
export function checkBits(
  setting: Setting,
  tensors: Tensors,
  contenders: readonly Contender[],
  operations: readonly Operation[],
  referenceOf: (backend: BackendName) => BackendName = (backend) =>
    referenceFor(backend, lengthOf(setting.shape), setting.dtype),
): Used[] {
  const used: Used[] = [];
  const references = new Set(contenders.map(({ backend }) => referenceOf(backend)));
  for (const operation of operations) {
    for (const reference of references) {
      const layer = makeLayer(setting, { backend: reference });
      const rest = runOnce(operation, layer, setting, { ...tensors, out: tensors.expected });
      for (const contender of contenders.filter(({ backend }) => referenceOf(backend) === reference))
        used.push(checkOne(setting, tensors, contender, operation, { reference, rest }));
    }
  }
  return used;
}
