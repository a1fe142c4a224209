// Valid arguments of the addon's entry points, values that are none, and a refused call.
import { expect } from "vitest";
import { Control, type Extent } from "../../src/kernels/control.js";
import type { KernelName } from "../../src/kernels/operands.js";
import { entryOperandsOf } from "./addon.js";
import type { AddonKernels } from "./addon-kernels.js";
import { errorOf } from "./rejected.js";

const EXTENT: Extent = { outer: 3, channels: 2, inner: 17 };
export const SIZE = 102;

export const block = (): Float64Array => new Control("float32", EXTENT).block;
export const array = (): Float32Array => new Float32Array(SIZE).fill(3);
/** Valid arguments of an entry point, optional ones too. */
export const argumentsOf = (name: KernelName): unknown[] => [block(), ...entryOperandsOf(name).map(array)];

/** All the memory behind the arguments that are arrays. */
function memoryOf(args: readonly unknown[]): Buffer {
  const views = args.filter((value): value is Float32Array => ArrayBuffer.isView(value));
  return Buffer.concat(views.map(({ buffer }) => (buffer.byteLength > 0 ? new Uint8Array(buffer) : new Uint8Array())));
}

/** A call throws this error, and the arrays keep their bytes. */
export function expectThrown(
  set: AddonKernels,
  name: KernelName,
  args: readonly unknown[],
  kind: TypeErrorConstructor | RangeErrorConstructor,
  message: RegExp,
): void {
  const before = memoryOf(args);
  const error = errorOf(() => (set[name] as (...args: unknown[]) => unknown)(...args));
  if (!(error instanceof kind && message.test(error.message)))
    expect.fail(`${name}: expected a ${kind.name} like ${message}, got ${String(error)}`);
  if (!memoryOf(args).equals(before)) expect.fail(`${name} wrote, although it threw ${String(error)}`);
}

export const NOT_ARRAYS: readonly unknown[] = [
  7,
  "x",
  {},
  [1, 2, 3],
  1n,
  Symbol("x"),
  () => 1,
  new ArrayBuffer(1 << 16),
  new SharedArrayBuffer(1 << 16),
  new DataView(new ArrayBuffer(1 << 16)),
  new Int32Array(1 << 14),
  new BigInt64Array(1 << 13),
  new Uint8ClampedArray(1 << 16),
  Object.create(Float32Array.prototype),
  new Proxy(new Float32Array(SIZE), {}),
  new Proxy(new Float64Array(SIZE), {}),
];
