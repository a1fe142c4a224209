// Wrong arguments at the addon's own entry points: the exact error, and nothing written.
import { describe, expect, test } from "vitest";
import { Control } from "../../src/kernels/control.js";
import { Flag, Slot, Traversal } from "../../src/kernels/layout.js";
import { KERNEL_NAMES } from "../../src/kernels/operands.js";
import { argumentsOf, array, block, expectThrown, NOT_ARRAYS, SIZE } from "../support/addon-arguments.js";
import { addonPath, entryOperandsOf, loadSets } from "../support/addon.js";
import { loadAddon } from "../support/addon-kernels.js";
import { buildFixture } from "../support/faulty-addon.js";
import { resizable } from "../support/foreign-arrays.js";
import { detached } from "../support/rejected.js";

const path = addonPath();
const sets = path === null ? [] : loadSets(path);

let built: string | undefined;
const misaligned = (): string => (built ??= buildFixture("misaligned.c"));

describe.each(sets)("%s", (_, set) => {
  test("valid arguments are accepted, as are nulls where they may be, and nothing is returned", () => {
    for (const name of KERNEL_NAMES) {
      const args = argumentsOf(name);
      expect(set[name](args[0] as Float64Array, ...args.slice(1)), name).toBeUndefined();
      const operands = entryOperandsOf(name);
      const required = operands.map(({ isOptional }) => isOptional).lastIndexOf(false);
      const fewest = args.slice(1, 2 + required).map((value, i) => (operands[i]!.isOptional ? null : value));
      expect(set[name](block(), ...fewest), name).toBeUndefined();
      const nulls = args.slice(1).map((value, i) => (operands[i]!.isOptional ? null : value));
      expect(set[name](block(), ...nulls), name).toBeUndefined();
    }
  });

  test("too few and too many arguments", () => {
    for (const name of KERNEL_NAMES) {
      expectThrown(set, name, [], TypeError, /^control must be a Float64Array$/);
      expectThrown(set, name, [block()], TypeError, /^x must be a Float32Array, Float64Array or Uint16Array$/);
      expectThrown(set, name, [...argumentsOf(name), null], TypeError, /^too many arguments$/);
      const many = Array.from({ length: 1000 }, array);
      expectThrown(set, name, [block(), ...many], TypeError, /^too many arguments$/);
    }
  });

  test("no control block", () => {
    const spoilt = detached(1);
    for (const name of KERNEL_NAMES) {
      const data = argumentsOf(name).slice(1);
      for (const wrong of [...NOT_ARRAYS, null, undefined, new Float32Array(1 << 14), spoilt])
        expectThrown(set, name, [wrong, ...data], TypeError, /^control must be a Float64Array$/);
      const gone = block();
      structuredClone(gone, { transfer: [gone.buffer] });
      expectThrown(set, name, [gone, ...data], TypeError, /^control is detached$/);
      for (const length of [0, 1, 15])
        expectThrown(
          set,
          name,
          [new Float64Array(length), ...data],
          RangeError,
          /^control is shorter than its header$/,
        );
      const whole = block();
      expectThrown(
        set,
        name,
        [whole.slice(0, -1), ...data],
        RangeError,
        /^control holds \d+ values, its extent needs more$/,
      );
    }
  });

  test("header values that are no sizes", () => {
    const integers = ["outer", "channels", "inner", "traversal", "flags", "storage"] as const;
    for (const name of KERNEL_NAMES) {
      const with_ = (slot: keyof typeof Slot, value: number): unknown[] => {
        const args = argumentsOf(name);
        (args[0] as Float64Array)[Slot[slot]] = value;
        return args;
      };
      for (const slot of integers) {
        for (const wrong of [NaN, -1, 0.5, Infinity, -Infinity, 2 ** 53 + 2, 1e308, -(2 ** -1074)])
          expectThrown(set, name, with_(slot, wrong), RangeError, /^control: "\w+" is not a valid integer$/);
      }
      for (const [slot, most] of [
        ["traversal", 2],
        ["flags", 31],
        ["storage", 2],
      ] as const)
        expectThrown(set, name, with_(slot, most + 1), RangeError, /is not a valid integer$/);
      for (const wrong of [NaN, -1, Infinity])
        expectThrown(set, name, with_("count", wrong), RangeError, /^control: "count" is negative or not finite$/);
    }
  });

  test("traversals that are not the extent's: kernels size their own arrays by them", () => {
    for (const name of KERNEL_NAMES) {
      const args = argumentsOf(name);
      const block = args[0] as Float64Array;
      const own = block[Slot.traversal]!;
      for (const wrong of [0, 1, 2].filter((traversal) => traversal !== own)) {
        block[Slot.traversal] = wrong;
        expectThrown(set, name, args, RangeError, /are not traversed like this$/);
      }
    }
  });

  test("sizes whose product overflows, or that the arrays do not hold", () => {
    const huge: readonly (readonly [number, number, number])[] = [
      [2 ** 53, 2 ** 53, 2 ** 53],
      [2 ** 32, 2 ** 32, 1],
      [2 ** 32, 1, 2 ** 32],
      [1, 2 ** 32, 2 ** 32],
      [2 ** 22, 2 ** 21, 2 ** 21],
      [2 ** 53, 2, 1],
      [2 ** 53, 1, 1],
      [1, 2 ** 53, 1],
      [0, 2 ** 53, 0],
      [0, 2 ** 53, 2 ** 53],
      [1, 1, 2 ** 53],
      [0, 1, 2 ** 53],
      [2 ** 62, 4, 1],
      [4, 2, 17],
      [3, 3, 17],
      [3, 2, 18],
    ];
    for (const name of KERNEL_NAMES) {
      for (const [outer, channels, inner] of huge) {
        for (const traversal of [Traversal.planes, Traversal.rows, Traversal.fewColumns]) {
          const args = argumentsOf(name);
          const control = args[0] as Float64Array;
          control.set([outer, channels, inner, traversal]);
          const isEmpty = outer * channels * inner === 0;
          if (isEmpty && traversal === Traversal.planes && channels < 3) continue; // an empty tensor, and valid
          expectThrown(set, name, args, RangeError, /^control|holds \d+ elements, the extent has \d+$/);
        }
      }
    }
  });

  test("16-bit elements where the header says others, and where there are no kernels for them", () => {
    for (const name of KERNEL_NAMES) {
      const floats = argumentsOf(name);
      (floats[0] as Float64Array)[Slot.storage] = 1;
      expectThrown(set, name, floats, TypeError, /^x holds other elements than control's "storage" says$/);
      const halves = [
        floats[0],
        ...entryOperandsOf(name).map(({ role }) => (role === "weights" ? array() : new Uint16Array(SIZE))),
      ];
      if (set.has16Bit) expect(set[name](...(halves as [Float64Array]))).toBeUndefined();
      else expectThrown(set, name, halves, TypeError, /^this instruction set has no kernels for 16-bit elements$/);
    }
  });

  test("operands of a wrong kind, type or length", () => {
    for (const name of KERNEL_NAMES) {
      entryOperandsOf(name).forEach(({ role, isOptional }, i, { length: count }) => {
        const replaced = (value: unknown): unknown[] => argumentsOf(name).map((old, j) => (j === i + 1 ? value : old));
        for (const wrong of NOT_ARRAYS)
          expectThrown(
            set,
            name,
            replaced(wrong),
            TypeError,
            /^\w+ must be a Float32Array, Float64Array or Uint16Array$/,
          );
        if (!isOptional) {
          for (const absent of [null, undefined])
            expectThrown(
              set,
              name,
              replaced(absent),
              TypeError,
              /^\w+ must be a Float32Array, Float64Array or Uint16Array$/,
            );
        }
        const other = i === 0 ? /^x holds other elements than/ : /^\w+ has another element type than x$/;
        expectThrown(set, name, replaced(new Uint16Array(SIZE)), TypeError, other);
        if (count > 1)
          expectThrown(set, name, replaced(new Float64Array(SIZE)), TypeError, /^\w+ has another element type than x$/);
        // Weights, one for each position, have no channels, of which there are 2.
        const size = role === "weights" ? SIZE / 2 : SIZE;
        const short = (held: string): RegExp => new RegExp(`^\\w+ holds ${held} elements, the extent has ${size}$`);
        for (const length of [0, 1, size - 1])
          expectThrown(set, name, replaced(new Float32Array(length)), RangeError, short("\\d+"));
        expectThrown(set, name, replaced(detached(SIZE)), TypeError, /^\w+ is detached$/);
        const shrunk = resizable(array());
        shrunk.buffer.resize(4 * (size - 1));
        expectThrown(set, name, replaced(shrunk.array), RangeError, short(String(size - 1)));
        const cut = resizable(array());
        const fixed = new Float32Array(cut.buffer, 0, SIZE);
        cut.buffer.resize(4 * (SIZE - 1));
        expectThrown(set, name, replaced(fixed), RangeError, short("0"));
      });
    }
  });

  test("overlaps of outputs with inputs, outputs and the control block", () => {
    for (const name of KERNEL_NAMES) {
      const roles = entryOperandsOf(name).map(({ role }) => role);
      roles.forEach((role, i) => {
        const valid = block();
        const behind = new ArrayBuffer(8 * valid.length + 4 * SIZE);
        const control = new Float64Array(behind, 0, valid.length);
        control.set(valid);
        const inControl = new Float32Array(behind, control.byteLength - 4, SIZE); // the last 4 bytes of the block
        const args = argumentsOf(name).map((old, j) => (j === 0 ? control : j === i + 1 ? inControl : old));
        expectThrown(set, name, args, RangeError, /^\w+ overlaps control$/);
        roles.slice(0, i).forEach((other, j) => {
          if (role !== "output" && other !== "output") return;
          const memory = new Float32Array(SIZE + 1);
          const both = argumentsOf(name);
          both[j + 1] = memory.subarray(0, SIZE);
          both[i + 1] = memory.subarray(1);
          expectThrown(set, name, both, RangeError, /^\w+ overlaps \w+$/);
          if (role !== "weights" && !(role === "output" && other === "output")) return;
          both[i + 1] = both[j + 1];
          expectThrown(set, name, both, RangeError, /^\w+ overlaps \w+$/);
        });
      });
    }
  });

  test("memory whose elements are not aligned, of another addon: the same bits, past the cache too", () => {
    const { make } = loadAddon<{ make: () => ArrayBuffer }>(misaligned());
    for (const dtype of ["float32", "float64"] as const) {
      const { block } = new Control(dtype, { outer: 1, channels: 2, inner: 1000 });
      block[Slot.streamFrom] = 0;
      const Type = dtype === "float32" ? Float32Array : Float64Array;
      const x = new Type(make(), 0, 2000);
      x.set(Array.from(x, (_, i) => i - 7));
      const y = new Type(make(), 0, 2000);
      set.zeroMasked(block, x, y, new Type(make(), 0, 1000).fill(1));
      expect(y).toEqual(x);
    }
  });

  test("a mask of the stored output without it", () => {
    for (const name of ["gradSums", "gradInput", "backward"] as const) {
      const args = argumentsOf(name);
      (args[0] as Float64Array)[Slot.flags] = Flag.activation | Flag.holdsY;
      args[1 + entryOperandsOf(name).findIndex((operand) => operand.name === "residualOrY")] = null;
      expectThrown(set, name, args, TypeError, /^residualOrY must hold the stored output$/);
    }
  });
});
