// 16-bit storage: the conversions by their definition, then every backend's, and its kernels on such elements.
import { describe, expect, test } from "vitest";
import { Control } from "../../src/kernels/control.js";
import type { Kernels } from "../../src/kernels/kernels.js";
import { narrow, widen } from "../../src/base/storage.js";
import {
  fromBfloat16Bits,
  fromFloat16Bits,
  toBfloat16Bits,
  toFloat16Bits,
  type Float16Values,
} from "../../src/index.js";
import { backendsUnderTest, sharingNative, smallWasm } from "../support/backends.js";
import { halfCases } from "../../src/verify/cases.js";
import { referenceOf, type Reference } from "../../src/verify/case-reference.js";
import { random } from "../../src/verify/data.js";
import { firstDifference } from "../support/guarded.js";
import { DETACHED, TYPE, detached, expectRejected, type } from "../support/rejected.js";
import { runCase } from "../support/kernel-runner.js";
import { sampleCases } from "../support/sampled-cases.js";
import { asUnit } from "../support/textbook.js";

/** Exponent bits and fraction bits. */
const FORMATS = { float16: [5, 10], bfloat16: [8, 7] } as const;
type Format = keyof typeof FORMATS;
const formats = Object.keys(FORMATS) as Format[];

const all = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);

/** What IEEE 754 says that the bits are. */
function valueOf(format: Format, bits: number): number {
  const [exponentBits, fractionBits] = FORMATS[format];
  const sign = bits >> 15 ? -1 : 1;
  const most = 2 ** exponentBits - 1;
  const exponent = (bits >> fractionBits) & most;
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  if (exponent === most) return fraction > 0 ? NaN : sign * Infinity;
  const bias = 2 ** (exponentBits - 1) - 1;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}

/** All that lies between two neighbours: each, a float32 step off it, the middle, and a step to either side of that. */
function betweenNeighbours(format: Format): { values: Float32Array; expected: Uint16Array } {
  const values: number[] = [];
  const expected: number[] = [];
  const words = new Uint32Array(1);
  const floats = new Float32Array(words.buffer);
  const step = (value: number, by: number): number => {
    floats[0] = value;
    words[0]! += by;
    return floats[0];
  };
  for (let bits = 0; ; bits++) {
    const [low, high] = [valueOf(format, bits), valueOf(format, bits + 1)];
    // Past the largest number the neighbour would be as far again.
    const last = high === Infinity;
    const middle = last ? low + (low - valueOf(format, bits - 1)) / 2 : (low + high) / 2;
    const even = bits % 2 === 0 ? bits : bits + 1;
    values.push(low, step(low, 1), step(middle, -1), middle, step(middle, 1));
    expected.push(bits, bits, bits, even, bits + 1);
    if (last) break;
  }
  return { values: Float32Array.from(values), expected: Uint16Array.from(expected) };
}

describe.each(formats)("%s in JavaScript", (format) => {
  test("all 65 536 values widen to what they are, and narrow back to themselves", () => {
    const wide = widen(format, all);
    const wrong = wide.findIndex((value, bits) => !Object.is(value, Math.fround(valueOf(format, bits))));
    expect(wrong).toBe(-1);
    expect(firstDifference(all, narrow(format, wide), format)).toBe(-1);
  });

  test("what lies between two is rounded to the nearest, from the middle to the even one, of either sign", () => {
    const { values, expected } = betweenNeighbours(format);
    expect(narrow(format, values)).toEqual(expected);
    expect(
      narrow(
        format,
        values.map((value) => -value),
      ),
    ).toEqual(expected.map((bits) => bits | 0x8000));
  });
});

/** What callers convert with. */
const CONVERTERS = {
  float16: { to: toFloat16Bits, from: fromFloat16Bits },
  bfloat16: { to: toBfloat16Bits, from: fromBfloat16Bits },
};

describe.each(formats)("the exported converters of %s", (format) => {
  const { to, from } = CONVERTERS[format];

  test("all 65 536 patterns: the values, and the bits again", () => {
    const values = from(all);
    expect(values).toBeInstanceOf(Float32Array);
    const wrong = values.findIndex((value, bits) => !Object.is(value, Math.fround(valueOf(format, bits))));
    expect(wrong).toBe(-1);
    const back = to(values);
    const isNaN = (bits: number): boolean => Number.isNaN(valueOf(format, bits));
    expect(back.findIndex((bits, i) => (isNaN(i) ? !isNaN(bits) : bits !== i))).toBe(-1);
  });

  test("NaN is quiet: the first bit of its fraction is set, whatever NaN it was", () => {
    const quiet = format === "float16" ? 0x7e00 : 0x7fc0;
    const signs = Uint32Array.of(0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff, 0x7fc00000, 0x7f801fff, 0xff80ffff);
    for (const bits of to(new Float32Array(signs.buffer))) expect(bits & quiet).toBe(quiet);
  });

  test("ties, and what lies between two, of either sign", () => {
    const { values, expected } = betweenNeighbours(format);
    expect(to(values)).toEqual(expected);
    expect(to(values.map((value) => -value))).toEqual(expected.map((bits) => bits | 0x8000));
  });

  test("of a part of a buffer, and of an array that lies about its length", () => {
    const values = Float32Array.of(9, 1, -2, 9).subarray(1, 3);
    const lying = class extends Float32Array {
      override get length(): number {
        return 1e9;
      }
    };
    expect(from(to(values))).toEqual(Float32Array.of(1, -2));
    expect(from(to(new lying([1, -2])))).toEqual(Float32Array.of(1, -2));
    expect(to(new Float32Array(0))).toEqual(new Uint16Array(0));
  });

  test("anything else is refused", () => {
    const call = (convert: (value: never) => unknown, value: unknown) => () => convert(value as never);
    for (const [value, got] of [
      [[1, 2], "an Array"],
      [Float64Array.of(1), "a Float64Array"],
      [1, "1"],
    ] as const) {
      const name = format === "float16" ? "Uint16Array or Float16Array" : "Uint16Array";
      expectRejected(call(to, value), [], type(TYPE, `"values" expected a Float32Array, got ${got}`));
      expectRejected(call(from, value), [], type(TYPE, `"bits" expected a ${name}, got ${got}`));
    }
    expectRejected(call(to, detached(3)), [], type(DETACHED, '"values" has a detached buffer'));
  });
});

const { Float16Array } = globalThis as { Float16Array?: new (values: Float32Array | ArrayBuffer) => Float16Values };
test.skipIf(!Float16Array)("the engine's own Float16Array converts alike, and its values are read", () => {
  const own = new Float16Array!(all.slice().buffer);
  expect(fromFloat16Bits(own)).toEqual(fromFloat16Bits(all));
  const { values } = betweenNeighbours("float16");
  expect(toFloat16Bits(values)).toEqual(new Uint16Array(new Float16Array!(values).buffer as ArrayBuffer));
});

const backends = [...backendsUnderTest, ...sharingNative(), ...smallWasm()].flatMap(({ name, kernels, has16Bit }) =>
  kernels && has16Bit ? [{ name, kernels }] : [],
);

/** y = −x as kernels compute it, in the traversal of many rows and, as one run, in that of planes. */
function negated(kernels: Kernels, format: Format, x: Uint16Array, inner: number): Uint16Array {
  const control = asUnit(new Control(format, { outer: 1, channels: x.length / inner, inner }));
  control.fields.weight.fill(-1);
  control.fields.bias.fill(-0);
  const y = new Uint16Array(x.length);
  kernels.normalize(control, x, y, null);
  return y;
}

const compared = sampleCases("16-bit cases of every backend", halfCases, 80);

describe.each(backends)("$name", ({ name, kernels }) => {
  test.each(formats)("%s: all 65 536 values pass through", (format) => {
    const others = all.map((bits) => bits ^ 0x8000);
    for (const inner of [1, 65_536])
      expect(firstDifference(all, negated(kernels, format, others, inner), format)).toBe(-1);
  });

  test.each(formats)("%s: sums that need rounding are rounded as in JavaScript", (format) => {
    const next = random(7);
    const x = Uint16Array.from({ length: 4096 }, () => next.bits());
    const residual = Uint16Array.from({ length: 4096 }, () => next.bits());
    const control = asUnit(new Control(format, { outer: 16, channels: 1, inner: 256 }));
    const y = new Uint16Array(x.length);
    kernels.normalize(control, x, y, residual);
    const other = widen(format, residual);
    const sums = widen(format, x).map((value, i) => value + other[i]!);
    expect(firstDifference(narrow(format, sums), y, format)).toBe(-1);
  });

  test.each(formats)("%s: a NaN whose every bit is set stays one", (format) => {
    const control = asUnit(new Control(format, { outer: 1, channels: 2, inner: 37 }));
    const { bias } = control.fields;
    new BigInt64Array(bias.buffer, bias.byteOffset, 2).set([2n ** 63n - 1n, -1n]);
    const y = new Uint16Array(74);
    kernels.normalize(control, y, y, null);
    expect(widen(format, y)).toEqual(new Float32Array(74).fill(NaN));
  });

  if (name === "oracle") return;
  test(`${compared.length} of ${halfCases.length} cases: the oracle's bits`, () => {
    const faults = compared.flatMap((one) => runCase(kernels, referencesOf(one)).faults);
    expect(faults.slice(0, 5)).toEqual([]);
  });
});

const references = new Map<object, Reference>();
function referencesOf(one: (typeof halfCases)[number]): Reference {
  let reference = references.get(one);
  if (!reference) references.set(one, (reference = referenceOf(one)));
  return reference;
}
