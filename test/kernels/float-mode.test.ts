// Another addon sets FTZ and DAZ before our call: native kernels keep their bits, and the setting is found still set after.
import { beforeAll, describe, expect, test } from "vitest";
import { Control } from "../../src/kernels/control.js";
import { BatchNorm } from "../../src/index.js";
import { backendsUnderTest } from "../support/backends.js";
import { referenceOf, type Reference } from "../../src/verify/case-reference.js";
import { cases, sizeOf } from "../../src/verify/cases.js";
import { runCase } from "../support/kernel-runner.js";
import { buildFloatMode, type FloatMode } from "../support/faulty-addon.js";
import { underFloatMode } from "../support/float-mode.js";
import { bytesOf } from "../support/reference.js";

const native = backendsUnderTest.filter(({ name, kernels }) => name.startsWith("native/") && kernels);

/** Values that flushing changes, and ordinary ones that another rounding changes. */
const SELECTED = cases.filter(
  ({ kind, extent }) =>
    ["denormal", "small", "gaussian", "extremeChannels"].includes(kind) && sizeOf(extent) <= 2 ** 13,
);

describe.skipIf(native.length === 0)("float mode", () => {
  let mode: FloatMode;
  let references: readonly Reference[];
  beforeAll(() => {
    mode = buildFloatMode();
    references = SELECTED.map((one) => referenceOf(one));
  });

  /** `run` under a mode, which is put back; what `get` says behind it. */
  function during<T>(setting: number, run: () => T): { result: T; after: number } {
    const before = mode.get();
    mode.set(setting);
    try {
      const result = run();
      return { result, after: mode.get() };
    } finally {
      mode.set(before);
    }
  }

  test("the setting matters: JavaScript itself flushes and rounds otherwise", () => {
    const least = Float64Array.of(Number.MIN_VALUE, 1, 10);
    expect(during(mode.flushing, () => least[0]! * 2).result).toBe(0);
    expect(during(mode.truncating, () => least[1]! / least[2]!).result).toBe(0.1 - 2 ** -56);
    expect(least[0]! * 2).toBe(2 * Number.MIN_VALUE);
  });

  describe.each(native.map(({ name, kernels }) => ({ name, kernels: kernels! })))("$name", ({ kernels }) => {
    test.each(["flushing", "truncating"] as const)(
      "every kernel, %s: the oracle's bits, the setting kept",
      (setting) => {
        const { kernels: changed, found } = underFloatMode(kernels, mode, mode[setting]);
        const faults = references.flatMap((reference) => runCase(changed, reference).faults);
        expect(faults.slice(0, 5)).toEqual([]);
        expect([...found]).toEqual([mode[setting]]);
      },
    );

    test("a call that is refused leaves the setting alone too", () => {
      const { kernels: changed, found } = underFloatMode(kernels, mode, mode.flushing);
      const control = new Control("float32", { outer: 9, channels: 1, inner: 1 });
      const short = new Float32Array(8);
      expect(() => changed.moments(control, short, null)).toThrow(RangeError);
      expect(() => changed.forward(control, short, short, null, null)).toThrow(RangeError);
      expect([...found]).toEqual([mode.flushing]);
    });
  });

  // The O(C) maths between the kernels is JavaScript's and flushes with it: running statistics are left out.
  test("a layer's forward and backward of denormal float32 values", () => {
    const x = Float32Array.from({ length: 60 }, (_, p) => ((p * 37) % 41) * 2 ** -149);
    const pass = (): readonly Uint8Array[] => {
      const layer = new BatchNorm(3, { backend: "native", eps: 1e-90 });
      const y = layer.forward(x, [5, 3, 4]);
      const { gradInput, gradWeight, gradBias } = layer.backward(y);
      return [y, gradInput, gradWeight!, gradBias!].map(bytesOf);
    };
    const expected = pass();
    expect(during(mode.flushing, pass)).toEqual({ result: expected, after: mode.flushing });
  });
});
