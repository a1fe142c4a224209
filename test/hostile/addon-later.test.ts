// Wrong arguments at the addon's asynchronous entry points, and memory that JavaScript takes away while a call runs.
import { describe, expect, test } from "vitest";
import { Control, type Extent } from "../../src/kernels/control.js";
import { KERNEL_NAMES, type KernelName } from "../../src/kernels/operands.js";
import { addonPath, entryOperandsOf, setsOf } from "../support/addon.js";
import { loadAddon, type InstructionSets } from "../support/addon-kernels.js";
import { NOT_ARRAYS } from "../support/addon-arguments.js";
import { errorOf, detached } from "../support/rejected.js";
import { resizable } from "../support/foreign-arrays.js";

const path = addonPath();
interface Outputs {
  readonly instructionSets: InstructionSets;
  readonly makeOutput: (...args: unknown[]) => unknown;
  readonly takeOutput: (...args: unknown[]) => ArrayBuffer;
  readonly isLasting: (...args: unknown[]) => boolean;
}
/** Loaded once: the outputs of one environment of Node-API are none in another. */
const loaded = path === null ? null : loadAddon<Outputs>(path);
const addon = (): Outputs => loaded!;
const sets = loaded === null ? [] : setsOf(loaded);

const EXTENT: Extent = { outer: 3, channels: 2, inner: 17 };
const SIZE = 102;
const block = (extent = EXTENT): Float64Array => new Control("float32", extent).block;
const shared = (length = SIZE, value = 3): Float32Array =>
  new Float32Array(new SharedArrayBuffer(4 * length)).fill(value);
const stop = (): Int32Array => new Int32Array(new SharedArrayBuffer(4));
const operandsOf = (name: KernelName): unknown[] => entryOperandsOf(name).map(() => shared());

describe.each(sets)("%s", (_, set) => {
  const thrown = (name: KernelName, args: readonly unknown[], message: RegExp): void => {
    const error = errorOf(() => set.later[name](...args));
    expect(error, name).toBeInstanceOf(Error);
    expect((error as Error).message, name).toMatch(message);
  };

  test("a call has the results of the synchronous one, in shared memory and in outputs", async () => {
    for (const name of KERNEL_NAMES) {
      const [a, b] = [block(), block()];
      const [x, y] = [operandsOf(name), operandsOf(name)] as Float32Array[][];
      for (const operands of [x!, y!])
        operands.forEach((array, i) => array.forEach((_, j) => (array[j] = (i + 2) * (j % 11) - 7)));
      set[name](a, ...x!);
      expect(await set.later[name](b, stop(), ...y!)).toBeUndefined();
      expect(b, name).toEqual(a);
      expect(y, name).toEqual(x);
      const z = operandsOf(name) as Float32Array[];
      z.forEach((array, i) => array.forEach((_, j) => (array[j] = (i + 2) * (j % 11) - 7)));
      const roles = entryOperandsOf(name).map(({ role }) => role);
      const outputs = roles.map((role) => (role === "output" ? addon().makeOutput(0, SIZE) : null));
      await set.later[name](block(), null, ...z.map((array, i) => outputs[i] ?? array));
      for (const [i, output] of outputs.entries())
        if (output !== null)
          expect(new Float32Array(addon().takeOutput(output)), name).toEqual(new Float32Array(x![i]!));
    }
  });

  test("memory that can go away is refused", () => {
    for (const name of KERNEL_NAMES)
      entryOperandsOf(name).forEach((__, i) => {
        for (const ordinary of [new Float32Array(SIZE), resizable(new Float32Array(SIZE)).array]) {
          const operands = operandsOf(name).map((array, j) => (i === j ? ordinary : array));
          thrown(name, [block(), stop(), ...operands], /^\w+ must be in a SharedArrayBuffer/);
        }
        const gone = operandsOf(name).map((array, j) => (i === j ? detached(SIZE) : array));
        thrown(name, [block(), stop(), ...gone], /^\w+ (is detached|overlaps \w+)$/);
      });
    for (const wrong of [...NOT_ARRAYS, new Int32Array(1), new Int32Array(new SharedArrayBuffer(0)), shared()])
      thrown("moments", [block(), wrong, shared()], /^stop must be an Int32Array in a SharedArrayBuffer$/);
  });

  test("what the synchronous entry points refuse", () => {
    for (const name of KERNEL_NAMES) {
      thrown(name, [], /^control must be a Float64Array$/);
      thrown(name, [block()], /^x must be/);
      thrown(name, [block(), null], /^x must be/);
      thrown(name, [block(), null, ...operandsOf(name), null], /^too many arguments$/);
      for (const wrong of NOT_ARRAYS) {
        thrown(name, [wrong, null, ...operandsOf(name)], /^control must be a Float64Array$/);
        thrown(name, [block(), null, wrong, ...operandsOf(name).slice(1)], /^x must be/);
      }
      thrown(name, [block(), null, shared(SIZE - 1), ...operandsOf(name).slice(1)], /^x holds 101 elements/);
      const changed = block();
      changed[0] = 2 ** 53;
      thrown(name, [changed, null, ...operandsOf(name)], /^control|^\w+ holds/);
    }
  });

  test("handles that are none, were taken, or are in use", async () => {
    const { makeOutput, takeOutput } = addon();
    for (const wrong of [...NOT_ARRAYS, null, undefined])
      expect(() => takeOutput(wrong)).toThrow(/^takeOutput\(handle\) takes an output that was not taken$/);
    for (const args of [[], [3, 1], [-1, 1], [0, 0], [0, -5], ["0", 1], [0, 2 ** 60], [0, NaN]])
      expect(() => makeOutput(...args)).toThrow();
    const y = makeOutput(0, SIZE);
    const call = set.later.normalize(block(), null, shared(), y);
    expect(() => takeOutput(y)).toThrow(/^a call works on the output$/);
    await call;
    expect(takeOutput(y).byteLength).toBe(4 * SIZE);
    expect(() => takeOutput(y)).toThrow(/not taken/);
    thrown("normalize", [block(), null, shared(), y], /^y must be a Float32Array/);
    const foreign = loadAddon<Outputs>(path!).makeOutput(0, SIZE);
    thrown("normalize", [block(), null, shared(), foreign], /^y must be a Float32Array/);
    thrown("normalize", [block(), null, shared(), makeOutput(1, SIZE)], /^y has another element type than x$/);
    thrown("normalize", [block(), null, shared(), makeOutput(0, SIZE - 1)], /^y holds 101 elements/);
    const both = makeOutput(0, SIZE);
    thrown("backward", [block(), null, shared(), shared(), both, null, both], /^dresidual overlaps dx$/);
  });

  test("a control block that goes away or is changed while its call runs", async () => {
    const large = { outer: 64, channels: 8, inner: 5000 };
    const x = shared(64 * 8 * 5000);
    const control = block(large);
    const call = set.later.moments(control, null, x);
    control.fill(NaN);
    await call;
    expect(control[0]).toBe(64);
    const lost = block(large);
    const failing = set.later.moments(lost, null, x);
    structuredClone(lost, { transfer: [lost.buffer] });
    await expect(failing).rejects.toThrow(/^control was detached/);
  });

  test("a call that is stopped ends, and one that is stopped before it begins", async () => {
    const large = { outer: 64, channels: 64, inner: 5000 };
    const x = shared(64 * 64 * 5000);
    for (const early of [true, false]) {
      const word = stop();
      if (early) word[0] = 1;
      const call = set.later.forward(block(large), word, x, addon().makeOutput(0, x.length));
      word[0] = 1;
      await call;
    }
  });
});

test.skipIf(path === null)("which memory cannot go away", () => {
  const { isLasting } = addon();
  expect(isLasting(shared())).toBe(true);
  expect(isLasting(new Float32Array(new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true }).buffer))).toBe(
    true,
  );
  expect(isLasting(new Float32Array(new WebAssembly.Memory({ initial: 1 }).buffer))).toBe(false);
  for (const other of [...NOT_ARRAYS, new Float32Array(2), detached(2), undefined])
    expect(isLasting(other)).toBe(false);
});
